"""Draw bones: spine, posterior and anterior ribs, clavicles, shoulder blades, humeral heads."""

from __future__ import annotations

import numpy as np

from models.phantom.body import MIDDLE, Body
from models.phantom.canvas import Canvas, ribbon_outline, smooth, soft_step
from models.phantom.rng import between

RIBS = 10


def draw_skeleton(canvas: Canvas, body: Body, cage: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Thickness of bone over the whole film; `cage` is the soft mask of the lungs."""
    ribs = draw_ribs(canvas, body, rng)
    below = 1.0 - 0.55 * soft_step(canvas.y - body.normal_dome["right"] - 4, 12.0)
    bone = ribs * (0.35 + 0.65 * cage) * below
    bone += draw_spine(canvas, body)
    return bone + draw_shoulders(canvas, body, rng)


def draw_ribs(canvas: Canvas, body: Body, rng: np.random.Generator) -> np.ndarray:
    """Posterior ribs arch out and down; anterior ribs come back fainter and steeper."""
    back, front = [], []
    pitch = (body.normal_dome["right"] + 10 - body.apex) / (RIBS - 0.6)
    thick, droop = between(rng, (2.4, 3.2)), between(rng, (9.0, 15.0))
    for at in range(RIBS):
        y = body.apex - 2.0 + pitch * at
        level = min(1.0, 0.46 + 0.155 * at) if at < 4 else 1.0
        reach = (body.half_width + 1.0) * level
        root = float(body.spine_x(y)) - MIDDLE
        for s in (-1.0, 1.0):
            start = 4.0 + s * root
            mid = start + 0.42 * (reach - start)
            line = smooth(
                [(start, y), (mid, y - 2.0), (start + 0.78 * (reach - start), y + 0.36 * droop), (reach, y + droop)], 5
            )
            back.append(ribbon_outline(line * (s, 1) + (MIDDLE, 0), thick))
            if 0 < at < 7:
                far = (reach, y + droop)
                line = smooth(
                    [
                        far,
                        (0.8 * reach, y + droop + 7),
                        (0.5 * reach, y + droop + 11.5),
                        (0.36 * reach, y + droop + 12),
                    ],
                    4,
                )
                front.append(ribbon_outline(line * (s, 1) + (MIDDLE, 0), np.linspace(thick, 1.25 * thick, len(line))))
    rear = canvas.fill_all(back, 0.45)
    core = canvas.soften(rear, 1.1)
    edges = np.maximum(rear - 0.55 * core, 0.0)  # cortex brighter than marrow
    return 0.115 * rear + 0.08 * edges + 0.055 * canvas.fill_all(front, 0.8)


def draw_spine(canvas: Canvas, body: Body) -> np.ndarray:
    """Vertebral bodies and discs along the curve of the spine."""
    y = np.linspace(-6, 136, 26)
    width = np.linspace(8.5, 13.0, len(y))
    column = canvas.ribbon(np.stack([body.spine_x(y), y], axis=1), width, 0.7)
    pitch = 6.6
    discs = 0.5 + 0.5 * np.cos(canvas.y * np.float32(2 * np.pi / pitch))
    bent = min(abs(body.curve) / 9.0, 1.0)
    return column * (0.26 + 0.3 * bent) * (1.0 - (0.3 + 0.15 * bent) * discs**3)


def draw_shoulders(canvas: Canvas, body: Body, rng: np.random.Generator) -> np.ndarray:
    """Clavicles across the apices; scapulae and humeral heads outside."""
    w, a, lift = body.half_width, body.apex, between(rng, (-3.0, 3.0))
    collars, blades, heads = [], [], []
    slip = between(rng, (-4.0, 4.0))
    for s in (-1.0, 1.0):
        line = smooth(
            [(4.5, a + 11), (0.35 * w, a + 8.5), (0.7 * w, a + 3.0 + lift * 0.5), (1.05 * w, a + 0.5 + lift)], 5
        )
        collars.append(ribbon_outline(line * (s, 1) + (MIDDLE, 0), np.linspace(4.6, 3.2, len(line))))
        blade = smooth(
            [(1.16 * w, a + 3), (0.98 * w + slip, a + 7), (0.9 * w + slip, a + 24), (0.99 * w + slip, a + 42),
            (1.12 * w, a + 24)],
            4, closed=True,
        )  # fmt: skip
        blades.append(blade * (s, 1) + (MIDDLE, 0))
        turn = np.linspace(0, 2 * np.pi, 14)[:-1]
        centre = np.array([1.08 * w + body.wall + 6, a + 11.0]) * (s, 1) + (MIDDLE, 0)
        heads.append(centre + 6.0 * np.stack([np.cos(turn), np.sin(turn)], axis=1))
    collar = canvas.fill_all(collars, 0.5)
    edges = np.maximum(collar - 0.55 * canvas.soften(collar, 1.2), 0.0)
    return 0.19 * collar + 0.11 * edges + 0.11 * canvas.fill_all(blades, 0.8) + 0.24 * canvas.fill_all(heads, 0.7)
