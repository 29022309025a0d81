"""Align one film with another and measure how far their fine structure agrees."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 64
FARTHEST = 10  # pixels of SIDE by which a copy may be shifted
EDGE = 3  # pixels at the rim that do not count
_EVERYWHERE = np.full((SIDE, SIDE), 255, np.uint8)
_STEPS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)


def standard(image: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) float32 of zero mean and unit spread."""
    film = cv2.resize(np.nan_to_num(np.asarray(image, np.float32)), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return (film - film.mean()) / max(float(film.std()), 1e-3)


def fine(film: np.ndarray) -> np.ndarray:
    """Structure between about one and six pixels, which exposure and the common shape of chests leave alone."""
    return cv2.GaussianBlur(film, (0, 0), 0.7) - cv2.GaussianBlur(film, (0, 0), 3.0)


def shifts(new: np.ndarray, olds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best correlation (n,) of `new` (SIDE, SIDE) with each of `olds` (n, SIDE, SIDE) over shifts, and the shifts.

    A shift (x, y) is the place in `new` of the point (0, 0) of the old film.
    """
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE)).astype(np.float32)
    new, olds = new * window, olds * window
    product = np.fft.rfft2(new) * np.conj(np.fft.rfft2(olds))
    maps = np.fft.irfft2(product, s=(SIDE, SIDE))
    near = np.arange(-FARTHEST, FARTHEST + 1)
    maps = maps[:, near][:, :, near].reshape(len(olds), -1)
    best = maps.argmax(1)
    scale = np.linalg.norm(new) * np.linalg.norm(olds, axis=(1, 2))
    moves = np.stack([near[best % len(near)], near[best // len(near)]], 1)
    return maps.max(1) / np.maximum(scale, 1e-9), moves


def aligned(new: np.ndarray, old: np.ndarray, move: np.ndarray) -> float:
    """Correlation of the fine structure of two standard films, -1 to 1, with `new` laid over `old`.

    Starts from the shift `move` and from none, and refines each to an affine map (Evangelidis & Psarakis 2008).
    """
    starts = {(0, 0), (int(move[0]), int(move[1]))}
    return max(_agreement(new, old, _refined(new, old, start)) for start in starts)


def _refined(new: np.ndarray, old: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    warp = np.array([[1, 0, start[0]], [0, 1, start[1]]], np.float32)
    try:
        return cv2.findTransformECC(old, new, warp.copy(), cv2.MOTION_AFFINE, _STEPS, _EVERYWHERE, 5)[1]
    except cv2.error:  # it raises where the films have nothing in common to follow: the start then stands
        return warp


def _agreement(new: np.ndarray, old: np.ndarray, warp: np.ndarray) -> float:
    flags = cv2.WARP_INVERSE_MAP
    laid = cv2.warpAffine(new, warp, (SIDE, SIDE), flags=flags | cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    inside = cv2.warpAffine(np.ones_like(new), warp, (SIDE, SIDE), flags=flags | cv2.INTER_NEAREST) > 0.5
    inside[:EDGE] = inside[-EDGE:] = inside[:, :EDGE] = inside[:, -EDGE:] = False
    if inside.mean() < 0.5:  # a corner that agrees is no copy
        return -1.0
    one, other = fine(laid)[inside], fine(old)[inside]
    one, other = one - one.mean(), other - other.mean()
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size > 1e-6 else 0.0
