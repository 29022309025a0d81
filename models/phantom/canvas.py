"""Draw soft shapes in body units: 128 units across the film, whatever its size in pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

cv2.setNumThreads(1)

UNITS = 128.0
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class Pose:
    """How the patient stands: tilt in degrees, zoom, and shift in units."""

    tilt: float = 0.0
    zoom: float = 1.0
    dx: float = 0.0
    dy: float = 0.0

    def matrix(self, scale: float) -> np.ndarray:
        """2x3 matrix from body units to pixels."""
        angle = np.deg2rad(self.tilt)
        turn = self.zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([UNITS / 2, UNITS / 2])
        move = middle + np.array([self.dx, self.dy]) - turn @ middle
        return np.concatenate([turn * scale, (move * scale - 0.5)[:, None]], axis=1)


class Canvas:
    """A film of `size` pixels seen from the body: masks are float32 in 0..1, (size, size)."""

    def __init__(self, size: int, pose: Pose) -> None:
        self.size = size
        self.scale = size / UNITS
        self._matrix = pose.matrix(self.scale)
        back = np.linalg.inv(np.vstack([self._matrix, [0, 0, 1]])).astype(np.float32)
        step = np.arange(size, dtype=np.float32)
        self.x = back[0, 0] * step[None, :] + back[0, 1] * step[:, None] + back[0, 2]
        self.y = back[1, 0] * step[None, :] + back[1, 1] * step[:, None] + back[1, 2]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Body points (..., 2) as fixed-point pixels for OpenCV."""
        flat = points @ self._matrix[:, :2].T + self._matrix[:, 2]
        return np.round(flat * (1 << _SHIFT)).astype(np.int32)

    def soften(self, mask: np.ndarray, sigma: float) -> np.ndarray:
        """Blur by `sigma` units."""
        pixels = sigma * self.scale
        return cv2.GaussianBlur(mask, (0, 0), pixels) if pixels > 0.2 else mask

    def fill(self, points: np.ndarray, blur: float = 0.5) -> np.ndarray:
        """A filled outline with soft edges."""
        return self.fill_all([points], blur)

    def fill_all(
        self, outlines: Sequence[np.ndarray], blur: float = 0.5, tones: Sequence[int] | None = None
    ) -> np.ndarray:
        """Several filled outlines on one mask, each with its own tone of 255."""
        plate = np.zeros((self.size, self.size), np.uint8)
        for at, outline in enumerate(outlines):
            cv2.fillPoly(plate, [self.pixels(outline)], 255 if tones is None else tones[at], cv2.LINE_AA, _SHIFT)
        return self.soften(plate.astype(np.float32) * np.float32(1 / 255), blur)

    def strokes(self, lines: np.ndarray, tone: int, width: float, plate: np.ndarray | None = None) -> np.ndarray:
        """Many open lines (n, k, 2) of one width and tone on a uint8 plate."""
        plate = np.zeros((self.size, self.size), np.uint8) if plate is None else plate
        thick = max(1, round(width * self.scale))
        cv2.polylines(plate, list(self.pixels(lines)), False, tone, thick, cv2.LINE_AA, _SHIFT)
        return plate

    def ribbon(self, line: np.ndarray, width: float | np.ndarray, blur: float = 0.4) -> np.ndarray:
        """A line of true width in units, finer than a pixel if need be."""
        return self.fill(ribbon_outline(line, width), blur)

    def ellipse(self, x: float, y: float, rx: float, ry: float, edge: float = 0.8, angle: float = 0.0) -> np.ndarray:
        """A filled ellipse whose rim is `edge` units soft."""
        dx, dy = turned(self.x - x, self.y - y, angle)
        distance = np.sqrt((dx / rx) ** 2 + (dy / ry) ** 2)
        return np.clip((1.0 - distance) * (min(rx, ry) / edge) + 0.5, 0.0, 1.0)

    def blob(self, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> np.ndarray:
        """A Gaussian hill."""
        dx, dy = turned(self.x - x, self.y - y, angle)
        return np.exp(-0.5 * ((dx / rx) ** 2 + (dy / ry) ** 2))

    def noise(self, rng: np.random.Generator, cell: float) -> np.ndarray:
        """Smooth noise of about unit variance whose grains are `cell` units wide."""
        count = max(3, round(UNITS / cell))
        grid = rng.standard_normal((count, count), dtype=np.float32)
        return cv2.resize(grid, (self.size, self.size), interpolation=cv2.INTER_CUBIC) * np.float32(1.25)


def turned(dx: np.ndarray, dy: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Offsets in a frame turned by `angle` radians."""
    if angle == 0.0:
        return dx, dy
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cos * dx + sin * dy, cos * dy - sin * dx


def smooth(points: Sequence[Sequence[float]] | np.ndarray, steps: int = 6, closed: bool = False) -> np.ndarray:
    """A Catmull-Rom curve through `points`."""
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        knots = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        knots = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    p0, p1, p2, p3 = knots[:-3, None], knots[1:-2, None], knots[2:-1, None], knots[3:, None]
    t = (np.arange(steps) / steps)[None, :, None]
    curve = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, knots[-2:-1]])


def ribbon_outline(line: np.ndarray, width: float | np.ndarray) -> np.ndarray:
    """The outline of a line of the given width."""
    tangent = np.gradient(line, axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
    offset = normal * (np.broadcast_to(np.asarray(width), (len(line),))[:, None] / 2)
    return np.concatenate([line + offset, (line - offset)[::-1]])


def soft_step(value: np.ndarray, width: float) -> np.ndarray:
    """0 to 1 as `value` crosses zero over `width` units."""
    ramp = np.clip(value / width + 0.5, 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)
