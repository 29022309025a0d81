"""Draw the normal chest: soft tissue, air, heart and mediastinum, bones, vessels."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.phantom.body import MIDDLE, Body
from models.phantom.canvas import Canvas, smooth, soft_step
from models.phantom.rng import between, chance
from models.phantom.skeleton import draw_skeleton
from models.phantom.vessels import draw_vessels

SIDES = ("right", "left")


@dataclass(slots=True)
class Scene:
    """A film in the making: where the air is, what adds density, and where each finding lies."""

    canvas: Canvas
    body: Body
    lungs: dict[str, np.ndarray]  # soft mask of each lung, heart and mediastinum not taken out
    heart: np.ndarray
    mediastinum: np.ndarray
    air: np.ndarray  # 0..1, what lesions fill
    tissue: np.ndarray  # thickness of everything that is not lung
    vessels: np.ndarray  # thickness of vessels, seen only against air
    trachea: np.ndarray
    metal: np.ndarray
    marks: dict[str, list[np.ndarray]] = field(default_factory=dict)

    @property
    def lung(self) -> np.ndarray:
        """Both lungs."""
        return np.maximum(self.lungs["right"], self.lungs["left"])

    def fill(self, opacity: np.ndarray) -> None:
        """Replace air by `opacity` (0..1) of fluid or cells."""
        self.air *= 1.0 - opacity

    def thickness(self) -> np.ndarray:
        """What the beam has to cross."""
        # Lesions hide the vessels inside them, as water on water does.
        return self.tissue - 1.3 * self.body.air_gain * self.air + self.vessels * self.air + self.metal


def draw_anatomy(canvas: Canvas, body: Body, rng: np.random.Generator) -> Scene:
    """The chest of a patient before any lesion."""
    lungs = {side: canvas.fill(body.lung(side), 0.55) for side in SIDES}
    heart = draw_heart(canvas, body)
    mediastinum = draw_mediastinum(canvas, body)
    trachea = draw_trachea(canvas, body)
    air = np.maximum(lungs["right"], lungs["left"]) * (1 - 0.9 * mediastinum) * (1 - 0.86 * heart)
    tissue = draw_soft_tissue(canvas, body, rng)
    cage = canvas.soften(np.maximum(lungs["right"], lungs["left"]), 2.0)
    tissue += draw_skeleton(canvas, body, cage, rng)
    tissue += 0.22 * mediastinum + 0.1 * heart - 0.42 * trachea
    vessels = draw_vessels(canvas, body, rng) * body.vessel_gain
    grain = canvas.noise(rng, 3.2) * 0.035 + canvas.noise(rng, 9.0) * 0.03
    tissue += grain * (0.35 + air)
    return Scene(canvas, body, lungs, heart, mediastinum, air, tissue, vessels, trachea, np.zeros_like(air))


def draw_heart(canvas: Canvas, body: Body) -> np.ndarray:
    """The cardiac silhouette: a third to the right of the midline, the apex down on the left."""
    width = 2 * body.half_width * body.heart_ratio
    right, left = 0.32 * width, 0.68 * width
    floor = body.normal_dome["left"] + 3
    height = min(0.98 * width, 46.0)
    top = floor - height
    outline = smooth(
        [(-7, top - 4), (-0.8 * right, top + 0.28 * height), (-right, top + 0.56 * height), (-0.9 * right, floor - 3),
         (-4, floor + 4), (0.45 * left, floor + 4), (0.9 * left, floor + 1), (left, floor - 0.16 * height),
         (0.92 * left, floor - 0.36 * height), (0.68 * left, floor - 0.62 * height),
         (0.42 * left + 3, top + 0.1 * height),
         (8, top - 6)],
        closed=True,
    )  # fmt: skip
    outline[:, 0] += MIDDLE
    return canvas.fill(outline, 0.7)


def draw_mediastinum(canvas: Canvas, body: Body) -> np.ndarray:
    """The great vessels: straight on the right, the aortic knob on the left."""
    m, a, c = body.mediastinum, body.apex, body.carina
    wide = max(m - 10.5, 0.0)
    knob = m + 0.45 * body.knob
    floor = body.normal_dome["left"]
    outline = smooth(
        [(-0.62 * m, -4), (-0.66 * m, a + 2), (-0.95 * m, a + 14), (-m, c + 2), (-0.9 * m, c + 14),
        (-9 - 0.3 * wide, floor),
         (8, floor), (9 + 0.3 * wide, c + 22), (m + 1.0, c + 10), (m - 1.0 + 0.3 * wide, c + 3), (knob, c - 4),
         (knob - 1.0, c - 9), (0.72 * m, a + 8), (0.62 * m, a), (0.62 * m, -4)],
        closed=True,
    )  # fmt: skip
    outline[:, 0] += MIDDLE
    return canvas.fill(outline, 0.7)


def draw_trachea(canvas: Canvas, body: Body) -> np.ndarray:
    """A dark column that ends in two dark branches at the carina."""
    y = np.linspace(-6, body.carina, 12)
    column = np.stack([MIDDLE + 0.35 * (body.spine_x(y) - MIDDLE) - 0.8, y], axis=1)
    end = column[-1]
    right = smooth([end, end + (-4.5, 4.5), end + (-9, 10)], 3)
    left = smooth([end, end + (5.5, 4), end + (11, 7.5)], 3)
    airway = canvas.ribbon(column, 6.2, 0.7)
    branches = canvas.ribbon(right, np.linspace(4.6, 2.6, len(right)), 0.7)
    branches = np.maximum(branches, canvas.ribbon(left, np.linspace(4.2, 2.2, len(left)), 0.7))
    return np.maximum(airway, 0.7 * branches)


def draw_soft_tissue(canvas: Canvas, body: Body, rng: np.random.Generator) -> np.ndarray:
    """Skin to skin: neck, shoulders, arms, flanks, breasts, abdomen with its gas."""
    out, a = body.half_width + body.wall, body.apex
    half = smooth(
        [(10.5, -8), (11, a - 12), (17, a - 8), (34, a - 4.5), (out + 4, a + 1), (out + 13, a + 10),
        (out + 10, a + 20),
         (out + 2, a + 27), (out, a + 42), (out + 0.5, a + 62), (out - 1, a + 86), (out + 1, 136)]
    )  # fmt: skip
    trunk = np.concatenate([half * (1, 1), (half * (-1, 1))[::-1]]) + (MIDDLE, 0)
    arms = [
        np.array([(out + 12, a + 12), (out + 16 + body.arms * 0.5, a + 40), (out + 20 + body.arms, 140)]) * (s, 1)
        + (MIDDLE, 0)
        for s in (-1, 1)
    ]
    skin = canvas.fill(trunk, 0.8)
    thick = 1.35 * skin + 0.75 * canvas.soften(skin, 5.0) * skin
    shoulder = np.clip((a + 22 - canvas.y) / 22, 0, 1)
    thick *= 1.0 - 0.32 * shoulder * (np.abs(canvas.x - MIDDLE) > 14)
    thick *= 1.0 - 0.1 * np.clip((a + 8 - canvas.y) / 10, 0, 1)
    for arm in arms:
        limb = canvas.ribbon(smooth(arm, 4), 17.0, 1.0)
        bone = canvas.ribbon(smooth(arm, 4), 5.0, 0.7)
        thick = np.maximum(thick, 0.95 * limb) + 0.35 * bone * (limb > 0.5)
    floor = 0.5 * (body.normal_dome["right"] + body.normal_dome["left"])
    thick += 0.32 * skin * soft_step(canvas.y - floor - 6, 22.0)
    if body.breast:
        for s in (-1, 1):
            x, y = MIDDLE + s * 0.62 * body.half_width, a + 0.68 * (floor - a)
            disc = canvas.ellipse(x, y, 0.55 * body.half_width, 19.0, 4.0)
            thick += body.breast * disc * soft_step(canvas.y - y + 6, 26.0) * skin
    gas = _stomach_gas(canvas, body, rng)
    return thick - gas * skin


def _stomach_gas(canvas: Canvas, body: Body, rng: np.random.Generator) -> np.ndarray:
    """The gastric bubble under the left dome, and a few loops of bowel."""
    x, y = MIDDLE + 0.5 * body.half_width + between(rng, (-4, 4)), body.dome["left"] + between(rng, (8, 11))
    gas = 0.5 * canvas.ellipse(x, y, between(rng, (7, 11)), between(rng, (3.5, 5.5)), 1.6, between(rng, (-0.15, 0.15)))
    gas *= 1.0 if body.bubble else 0.2
    loops = int(rng.integers(0, 4)) if chance(rng, 0.5) else 0
    for _ in range(loops):
        where = MIDDLE + between(rng, (6, 36)), body.dome["left"] + between(rng, (16, 30))
        gas = gas + between(rng, (0.12, 0.3)) * canvas.ellipse(
            *where, between(rng, (3, 6)), between(rng, (2.5, 5)), 2.0
        )
    return gas
