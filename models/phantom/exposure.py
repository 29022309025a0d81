"""Expose a film: from thickness to grey values, with the habits of a hospital's machine."""

from __future__ import annotations

import cv2
import numpy as np

from models.phantom.canvas import Canvas
from models.phantom.hospital import Appearance
from models.phantom.rng import between, chance


def expose(canvas: Canvas, thickness: np.ndarray, look: Appearance, rng: np.random.Generator, view: str) -> np.ndarray:
    """The film as uint8: curve, focal spot, sharpening, vignette, grain, rim and marker."""
    slope, centre = between(rng, look.contrast), between(rng, look.centre)
    grey = 1.0 / (1.0 + np.exp(-slope * (thickness - centre)))
    black = 1.0 / (1.0 + np.exp(slope * centre))
    grey = np.clip((grey - black) / (1.0 - black), 0.0, 1.0) ** np.float32(between(rng, look.gamma))
    grey = canvas.soften(grey, between(rng, look.blur))
    grey = grey + np.float32(between(rng, look.edge)) * (grey - canvas.soften(grey, 1.6))
    grey *= _vignette(canvas, between(rng, look.vignette), rng)
    fog, ceiling = between(rng, look.fog), between(rng, look.ceiling)
    grey = fog + (ceiling - fog) * grey
    grain = rng.standard_normal((canvas.size, canvas.size), dtype=np.float32) * np.float32(between(rng, look.noise))
    grey += (grain + np.float32(between(rng, look.mottle)) * canvas.noise(rng, 2.2)) * (0.6 + 0.4 * grey)
    film = np.clip(grey * 255.0 + 0.5, 0, 255).astype(np.uint8)
    _mark(film, canvas, look, rng, view)
    if chance(rng, look.collimated):
        _collimate(film, canvas, look, rng)
    return film


def _vignette(canvas: Canvas, depth: float, rng: np.random.Generator) -> np.ndarray:
    x, y = 64 + between(rng, (-18, 18)), 64 + between(rng, (-12, 12))
    return 1.0 - np.float32(depth) * np.clip(((canvas.x - x) ** 2 + (canvas.y - y) ** 2) / 5200.0, 0.0, 1.5)


def _mark(film: np.ndarray, canvas: Canvas, look: Appearance, rng: np.random.Generator, view: str) -> None:
    """The technician's lead letter, on the patient's side that it names."""
    wanted, x, y, shade = chance(rng, look.marker_rate), rng.random(), rng.random(), int(rng.integers(215, 256))
    if not wanted:
        return
    scale = canvas.scale
    corner = (4 + 5 * x) if look.marker == "R" else (114 + 5 * x)
    spot = (round(corner * scale), round((12 + 8 * y) * scale))
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(film, look.marker, spot, font, 0.3 * scale, shade, max(1, round(0.8 * scale)), cv2.LINE_AA)
    if look.marker_boxed:
        low = (spot[0] - round(2 * scale), spot[1] - round(8.5 * scale))
        high = (spot[0] + round(7 * scale), spot[1] + round(2 * scale))
        cv2.rectangle(film, low, high, shade, max(1, round(0.6 * scale)), cv2.LINE_AA)
    if view == "AP":
        below = (spot[0] - round(2 * scale), spot[1] + round(9 * scale))
        cv2.putText(film, "AP", below, font, 0.22 * scale, shade, max(1, round(0.6 * scale)), cv2.LINE_AA)


def _collimate(film: np.ndarray, canvas: Canvas, look: Appearance, rng: np.random.Generator) -> None:
    """Black rims where the shutters cut the beam, often on some sides only."""
    edges = [round(between(rng, look.rim) * canvas.scale) if chance(rng, 0.65) else 0 for _ in range(4)]
    size = canvas.size
    film[: edges[0]] = 2
    film[size - edges[1] :] = 2
    film[:, : edges[2]] = 2
    film[:, size - edges[3] :] = 2
