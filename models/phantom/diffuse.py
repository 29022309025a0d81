"""Paint findings of a whole lung or of both: pneumothorax, edema, emphysema, fibrosis."""

from __future__ import annotations

import numpy as np

from models.phantom.anatomy import Scene
from models.phantom.body import MIDDLE, SIGN
from models.phantom.canvas import Canvas
from models.phantom.lesions import Masks
from models.phantom.rng import between
from models.phantom.vocabulary import Finding

SIDES = ("right", "left")


def paint_pneumothorax(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Air outside the lung: a black rim without vessels and the fine line of the pleura."""
    side, canvas, body = finding.side or "right", scene.canvas, scene.body
    keep = {"small": (0.78, 0.83), "moderate": (0.62, 0.68), "large": (0.40, 0.48)}[finding.severity or "moderate"]
    share = between(rng, keep)
    sign = SIGN[side]
    outline = body.lung(side).copy()
    anchor = np.array([MIDDLE + sign * 6.0, body.carina + 14.0])
    pull = np.clip((body.dome[side] + 8 - outline[:, 1]) / 22.0, 0.0 if finding.severity != "large" else 0.5, 1.0)
    shrink = 1.0 - (1.0 - share) * pull
    shrunk = anchor + (outline - anchor) * np.stack([shrink, 0.25 + 0.75 * shrink if share > 0.55 else shrink], axis=1)
    inner = canvas.fill(shrunk, 0.4)
    rim = np.clip(scene.lungs[side] - inner, 0.0, 1.0) * (1 - scene.heart) * (1 - scene.mediastinum)
    scene.vessels *= 1.0 - rim
    scene.tissue -= 0.34 * rim
    collapse = {"small": 0.08, "moderate": 0.2, "large": 0.45}[finding.severity or "moderate"]
    scene.fill(collapse * inner * scene.lungs[side])
    start, stop = 2, int(0.62 * len(shrunk))
    line = canvas.ribbon(shrunk[start:stop], 1.5, 0.3) * canvas.soften(scene.lungs[side], 0.8)
    scene.tissue += 0.42 * line
    return [rim]


def paint_edema(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Bat wings of haze around both hila, blurred thick vessels, short septal lines."""
    canvas, body = scene.canvas, scene.body
    strength = {"mild": 0.46, "moderate": 0.64, "severe": 0.85}[finding.severity or "moderate"]
    spread = {"mild": 11.0, "moderate": 13.0, "severe": 17.0}[finding.severity or "moderate"]
    wings = np.zeros_like(scene.air)
    for side in SIDES:
        x, y = body.hilum(side)
        wing = canvas.blob(x + SIGN[side] * 6.0, y + 6.0, spread, 1.35 * spread, -SIGN[side] * 0.3)
        wings = np.maximum(wings, np.clip(1.25 * wing, 0, 1))
    fluff = 1.0 + 0.26 * canvas.noise(rng, 5.0) + 0.12 * canvas.noise(rng, 2.6)
    opacity = np.clip(strength * wings * fluff + 0.1 * strength, 0.0, 0.95) * scene.lung
    scene.vessels[:] = canvas.soften(scene.vessels, 0.9) * 1.5
    scene.fill(opacity)
    kerley = _septal_lines(canvas, scene, rng) * scene.lung
    scene.tissue += (0.2 + 0.12 * strength) * kerley
    area = np.clip(strength * wings, 0, 1) > 0.28
    return [area * scene.lungs[side] for side in SIDES]


def _septal_lines(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Kerley B lines: short, level, at the lateral bases."""
    lines = []
    for side in SIDES:
        for at in range(6):
            outer = scene.body.half_width * 0.97
            y = scene.body.dome[side] - 4.0 - 3.4 * at + between(rng, (-0.5, 0.5))
            inner = outer - between(rng, (6.0, 9.0))
            lines.append([(MIDDLE + SIGN[side] * inner, y), (MIDDLE + SIGN[side] * outer, y + 0.5)])
    return canvas.strokes(np.array(lines), 255, 1.0).astype(np.float32) / 255


def paint_emphysema(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """Black lungs with few vessels; the body is already barrel-shaped. Bullae at the apices."""
    severe = finding.severity == "severe"
    for side in SIDES:
        for _ in range(2 if severe else 1):
            x, y = scene.body.zone(side, "upper zone", rng)
            bulla = scene.canvas.ellipse(x, y, between(rng, (6, 9)), between(rng, (6, 9)), 1.5) * scene.lungs[side]
            ring = np.clip(bulla * (1 - bulla) * 4, 0, 1)
            scene.vessels *= 1.0 - 0.9 * bulla
            scene.tissue += 0.12 * ring - 0.12 * bulla
    return [scene.lungs[side] * (1 - scene.heart) * (1 - scene.mediastinum) for side in SIDES]


def paint_fibrosis(scene: Scene, finding: Finding, rng: np.random.Generator) -> Masks:
    """A net of fine lines and small cysts, worst at the bases and the periphery."""
    canvas, body = scene.canvas, scene.body
    severe = finding.severity == "severe"
    floor = 0.5 * (body.dome["right"] + body.dome["left"])
    height = floor - body.apex
    depth = np.clip((canvas.y - body.apex - (0.2 if severe else 0.36) * height) / (0.4 * height), 0.0, 1.0)
    outward = np.clip(np.abs(canvas.x - MIDDLE) / body.half_width, 0.0, 1.0)
    weight = np.clip(depth * (0.35 + 0.75 * outward), 0.0, 1.0) * scene.lung
    net = np.zeros_like(scene.air)
    for cell in (3.6, 4.8):
        net = np.maximum(net, np.clip(1.0 - np.abs(canvas.noise(rng, cell)) / 0.42, 0.0, 1.0))
    scene.fill((0.34 if severe else 0.2) * weight)
    scene.tissue += (0.62 if severe else 0.46) * weight * (net - 0.25)
    area = weight > 0.3
    return [area * scene.lungs[side] for side in SIDES]
