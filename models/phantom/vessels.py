"""Draw the vessels of the lungs: trees that leave the hila and taper outward."""

from __future__ import annotations

import numpy as np

from models.phantom.body import SIGN, Body
from models.phantom.canvas import Canvas

STEPS = 6


def draw_vessels(canvas: Canvas, body: Body, rng: np.random.Generator) -> np.ndarray:
    """Thickness of both trees and of the hilar knots they start from."""
    trunk = np.zeros((canvas.size, canvas.size), np.uint8)
    twigs = np.zeros_like(trunk)
    knots = np.zeros((canvas.size, canvas.size), np.float32)
    for side in ("right", "left"):
        stems = _stems(body, side, rng)
        canvas.strokes(stems[:, :3], 255, 2.2, trunk)
        canvas.strokes(stems[:, 2:5], 165, 1.0, trunk)
        canvas.strokes(stems[:, 4:], 120, 1.0, twigs)
        first = _branches(stems, rng, 3, (0.35, 0.6))
        canvas.strokes(first, 120, 1.0, twigs)
        canvas.strokes(_branches(first, rng, 2, (0.4, 0.6)), 60, 1.0, twigs)
        x, y = body.hilum(side)
        knots += 0.62 * canvas.blob(x - SIGN[side] * 1.0, y, 3.2, 6.5, SIGN[side] * 0.3)
    trees = np.maximum(trunk, twigs).astype(np.float32) / 255
    return 0.52 * canvas.soften(trees, 0.55) + 0.55 * knots


def _stems(body: Body, side: str, rng: np.random.Generator) -> np.ndarray:
    """Main vessels of one lung, as gently bent lines; more and stronger towards the base."""
    x, y = body.hilum(side)
    sign = SIGN[side]
    base = np.array([-82, -58, -34, -12, 8, 26, 42, 56, 70, 84]) + rng.normal(0, 6, 10)
    angles = np.deg2rad(base)
    reach = np.where(base < -45, y - body.apex - 6, np.where(base > 40, body.dome[side] - y - 2, body.half_width - 17))
    lengths = np.maximum(reach, 8.0) * rng.uniform(0.75, 1.0, 10)
    bend = rng.normal(0, 0.16, 10) + 0.12
    t = np.linspace(0, 1, STEPS)
    turn = angles[:, None] + bend[:, None] * t * 2
    along = lengths[:, None] * t
    starts = y + rng.normal(0, 3.0, 10)
    return np.stack([x + sign * along * np.cos(turn), starts[:, None] + along * np.sin(turn)], axis=2)


def _branches(lines: np.ndarray, rng: np.random.Generator, each: int, share: tuple[float, float]) -> np.ndarray:
    """Side branches: they leave a parent at 25 to 50 degrees and are shorter than it."""
    count = len(lines) * each
    parent = np.repeat(lines, each, axis=0)
    steps = parent.shape[1]
    at = rng.integers(steps // 3, steps - 1, count)
    rows = np.arange(count)
    start = parent[rows, at]
    heading = parent[rows, at + 1] - start
    angle = np.arctan2(heading[:, 1], heading[:, 0]) + np.where(rows % 2 == 0, 1, -1) * rng.uniform(0.4, 0.9, count)
    length = np.linalg.norm(parent[:, -1] - parent[:, 0], axis=1) * rng.uniform(*share, count)
    t = np.linspace(0, 1, 4)[None, :]
    along = length[:, None] * t
    curve = angle[:, None] + 0.2 * t * np.where(rows % 2 == 0, -1, 1)[:, None]
    return start[:, None] + np.stack([along * np.cos(curve), along * np.sin(curve)], axis=2)
