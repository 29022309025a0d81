"""Paint focal findings: fluid, collapse, consolidation, nodules, hila, hernia.

Each function draws into the scene and returns where: one soft mask for each box.
"""

from __future__ import annotations

import numpy as np

from models.phantom.anatomy import Scene
from models.phantom.body import MIDDLE, SIGN
from models.phantom.canvas import Canvas, smooth, soft_step
from models.phantom.rng import between
from models.phantom.vocabulary import Finding

Masks = list[np.ndarray]


def paint_effusion(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Fluid: a meniscus that climbs the lateral wall and blunts the angle."""
    side, canvas, body = finding.side or "left", scene.canvas, scene.body
    climb = {"small": (9.0, 12.0), "moderate": (21.0, 27.0), "large": (39.0, 50.0)}[finding.severity or "moderate"]
    top = body.dome[side] + 5 - between(rng, climb)
    reach = np.clip(SIGN[side] * (canvas.x - MIDDLE) / body.half_width, 0.0, 1.1)
    fall = 8.0 if finding.severity == "small" else 12.0
    level = top + fall * (1.0 - reach**2.2)
    lung = scene.lungs[side]
    opacity = soft_step(canvas.y - level, 3.0) * lung * (canvas.x * SIGN[side] > MIDDLE * SIGN[side] + 2)
    scene.tissue += 0.14 * opacity * soft_step(canvas.y - level - 4, 20.0)
    scene.fill(0.96 * opacity)
    return [opacity]


def paint_consolidation(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Fluffy, ill-defined filling with air-filled bronchi left dark."""
    side, canvas = finding.side or "left", scene.canvas
    x, y = scene.body.zone(side, finding.zone or "lower zone", rng)
    dense = finding.severity != "patchy"
    cloud = np.zeros_like(scene.air)
    for _ in range(7 if dense else 8):
        spread = 4.5 if dense else 7.0
        size = between(rng, (5.0, 8.0)) if dense else between(rng, (3.0, 5.0))
        hill = canvas.blob(x + rng.normal(0, spread), y + rng.normal(0, spread * 0.8), size, size * 0.85)
        cloud = np.maximum(cloud, hill) + 0.12 * hill
    cloud *= 1.0 + 0.3 * canvas.noise(rng, 4.5)
    opacity = np.clip(1.5 * cloud - 0.3, 0.0, 1.0) * (0.92 if dense else 0.72)
    opacity *= 1.0 - 0.4 * _bronchi(canvas, scene.body.hilum(side), (x, y), rng)
    opacity *= scene.lungs[side]
    scene.fill(opacity)
    scene.tissue += 0.1 * opacity
    return [opacity]


def _bronchi(
    canvas: Canvas, hilum: tuple[float, float], centre: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    start, end = np.array(hilum), np.array(centre)
    lines = []
    for _ in range(3):
        tip = end + (end - start) * 0.25 + rng.normal(0, 6.0, 2)
        lines.append(smooth(np.stack([start, start + 0.6 * (tip - start) + rng.normal(0, 1.5, 2), tip]), 4))
    return canvas.strokes(np.stack(lines), 255, 1.2).astype(np.float32) / 255


def paint_atelectasis(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Plates of collapsed lung: bright near-horizontal bands."""
    side, canvas, body = finding.side or "left", scene.canvas, scene.body
    marked = finding.severity == "marked"
    sign = SIGN[side]
    height = body.dome[side] - body.apex
    y = body.dome[side] - (
        between(rng, (6, 11)) if finding.zone == "lower zone" else between(rng, (0.36, 0.46)) * height
    )
    band = np.zeros_like(scene.air)
    for at in range(3 if marked else 2):
        inner = body.half_width * between(
            rng, (0.34, 0.42) if side == "right" or finding.zone == "mid zone" else (0.5, 0.56)
        )
        outer = body.half_width * between(rng, (0.84, 0.93))
        slope = between(rng, (-5.0, 3.0))
        level = y - at * (5.0 if marked else 4.5)
        line = smooth(
            [(inner, level + slope), (0.5 * (inner + outer), level + 0.4 * slope - 0.8), (outer, level - 0.5 * slope)],
            6,
        )
        thick = between(rng, (3.2, 4.2)) if marked else between(rng, (1.9, 2.4))
        width = thick * np.array([0.5] + [1.0] * (len(line) - 2) + [0.4])
        strength = 1.0 if at == 0 else between(rng, (0.55, 0.85))
        band = np.maximum(band, strength * canvas.ribbon(line * (sign, 1) + (MIDDLE, 0), width, 0.45))
    band *= scene.lungs[side]
    scene.fill(0.55 * band)
    scene.tissue += (0.32 if marked else 0.25) * band
    if marked:
        haze = 0.3 * canvas.blob(MIDDLE + sign * 0.62 * body.half_width, y, 14, 7) * scene.lungs[side]
        scene.fill(haze)
    return [band]


def _open_spot(scene: Scene, finding: Finding, rng: np.random.Generator) -> tuple[float, float]:
    """A point of the zone with air around it: not behind the heart."""
    side, zone = finding.side or "left", finding.zone or "mid zone"
    spots = [scene.body.zone(side, zone, rng) for _ in range(6)]
    clear = scene.canvas.soften(scene.lung * (1 - scene.heart) * (1 - scene.mediastinum), 4.0)
    near = [clear.ravel()[np.argmin((scene.canvas.x - x) ** 2 + (scene.canvas.y - y) ** 2)] for x, y in spots[:3]]
    return spots[int(np.argmax(near))]


def paint_nodule(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """A coin: round, dense, well defined."""
    canvas = scene.canvas
    x, y = _open_spot(scene, finding, rng)
    radius = between(rng, (3.6, 4.2) if finding.severity == "small" else (4.9, 5.7))
    disc = canvas.ellipse(x, y, radius, radius * between(rng, (0.9, 1.1)), 1.1, between(rng, (0, 3)))
    scene.fill(0.4 * disc)
    scene.tissue += 0.62 * disc
    return [disc]


def paint_mass(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """A lump of more than three centimetres, round or lobulated."""
    canvas = scene.canvas
    x, y = _open_spot(scene, finding, rng)
    radius = between(rng, (8.5, 11.5))
    shape = canvas.ellipse(x, y, radius, radius * between(rng, (0.88, 1.05)), 1.6, between(rng, (0, 3)))
    for _ in range(int(rng.integers(1, 4))):
        turn, part = between(rng, (0, 6.28)), between(rng, (0.5, 0.7))
        lobe = canvas.ellipse(
            x + 0.6 * radius * np.cos(turn), y + 0.6 * radius * np.sin(turn), part * radius, part * radius, 1.6
        )
        shape = np.maximum(shape, lobe)
    shape *= scene.lungs[finding.side or "left"]
    scene.fill(0.8 * shape)
    scene.tissue += 0.22 * shape * (1.0 + 0.12 * canvas.noise(rng, 6))
    return [shape]


def paint_hilum(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """A big lobulated hilum with a sharp outer edge."""
    side, canvas = finding.side or "left", scene.canvas
    sign = SIGN[side]
    x, y = scene.body.hilum(side)
    wide = between(rng, (7.5, 9.5))
    shape = canvas.ellipse(x + sign * 3.0, y - 1, wide, between(rng, (9.5, 12.0)), 1.4, sign * 0.25)
    for dy in (-6.0, 5.5):
        lobe = between(rng, (4.0, 5.5))
        shape = np.maximum(shape, canvas.ellipse(x + sign * between(rng, (4.5, 7.5)), y + dy, lobe, lobe, 1.4))
    shape *= scene.lungs[side]
    scene.fill(0.85 * shape)
    scene.tissue += 0.16 * shape
    return [shape]


def paint_hernia(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Stomach behind the heart: a round wall, air above, a level of fluid below."""
    canvas, body = scene.canvas, scene.body
    radius = between(rng, (8.5, 9.5) if finding.severity == "small" else (12.0, 14.0))
    x = MIDDLE + between(rng, (2.0, 8.0))
    y = body.normal_dome["left"] - radius * 0.72
    wide = radius * between(rng, (1.05, 1.2))
    sac = canvas.ellipse(x, y, wide, radius, 1.2)
    inside = canvas.ellipse(x, y, wide - 1.7, radius - 1.7, 1.0)
    level = soft_step(canvas.y - y - 0.1 * radius, 0.9)
    scene.fill(0.85 * sac)
    scene.tissue += 0.3 * (sac - inside) + 0.22 * inside * level - 0.85 * inside * (1.0 - level)
    return [sac]


def paint_geometry(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Findings that the body's own shape shows already: only their place is returned."""
    del rng
    canvas, body = scene.canvas, scene.body
    if finding.name == "cardiomegaly":
        return [scene.heart]
    if finding.name == "widened mediastinum":
        return [scene.mediastinum * (canvas.y > body.apex - 2) * (canvas.y < body.carina + 12)]
    if finding.name == "hemidiaphragm elevation":
        side = finding.side or "right"
        before = canvas.fill(body.lung(side, body.normal_dome[side]), 0.4)
        return [np.clip(before - scene.lungs[side], 0.0, 1.0)]
    y = np.linspace(8, 112, 24)
    return [canvas.ribbon(np.stack([body.spine_x(y), y], axis=1), 15.0, 0.4)]
