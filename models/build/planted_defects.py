"""Twenty kinds of defects at three strengths, to train film gates on and to measure them with.

A kind at its strongest is beyond doubt; at its weakest a reader may still use the film. Lengths are shares of the
film, so that a kind means the same at every size.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from models.phantom.defects import apply_defect

STRENGTHS: tuple[str, ...] = ("weak", "medium", "strong")
Spoil = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
_LETTERS = list("ABCDEFGHKLMNPRSTUVXYZ0123456789")


def plant(image: np.ndarray, kind: str, strength: str, rng: np.random.Generator) -> np.ndarray:
    """A spoilt copy of a film.

    Args:
        image: (H, W) uint8.
        kind: one of `PLANTED`.
        strength: one of `STRENGTHS`.
        rng: source of every draw.

    Returns:
        (H, W) uint8, or float32 where the kind is ``nan``.

    Raises:
        ValueError: no such kind or strength.
    """
    if kind not in _SPOIL or strength not in STRENGTHS:
        raise ValueError(f"no defect {kind!r} of strength {strength!r}: {', '.join(PLANTED)}; {', '.join(STRENGTHS)}")
    spoilt = _SPOIL[kind](image.astype(np.float32), STRENGTHS.index(strength), rng)
    return spoilt if kind == "nan" else np.clip(spoilt, 0, 255).astype(np.uint8)


def _blank(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    plate = np.full_like(film, rng.uniform(0, 255)) + rng.normal(0, 1.5, film.shape)
    return plate + (0.25, 0.1, 0.0)[at] * (film - film.mean())


def _nan(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    holes = rng.random(film.shape) < (0.0, 0.01, 0.5)[at]
    holes[tuple(rng.integers(0, film.shape))] = True
    return np.where(holes, rng.choice([np.nan, np.inf]), film).astype(np.float32)


def _flat(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    span = (0.5, 0.3, 0.12)[at]
    return rng.uniform(0, 255 * (1 - span)) + film * span


def _clipped(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    middle = np.percentile(film, rng.uniform(35, 65))
    return 127 + (film - middle) * (1.8, 3.5, 12.0)[at]


def _inverted(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    spoilt, height = film.copy(), film.shape[0]
    part = round(height * (0.3, 0.6, 1.0)[at])
    top = int(rng.integers(0, height - part + 1))
    spoilt[top : top + part] = 255 - spoilt[top : top + part]
    return spoilt


def _blurred(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(film, (0, 0), film.shape[0] / 128 * (1.2, 2.5, 5.0)[at] * rng.uniform(0.9, 1.2))


def _noise(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    return film + rng.normal(0, (14, 30, 70)[at], film.shape)


def _rotated(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    angles = ((14, 20), (35, 50), (90, 180))[at]
    angle = float(rng.choice([-1, 1])) * (rng.uniform(*angles) if at < 2 else float(rng.choice(angles)))
    height, width = film.shape
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, 1.0)
    return cv2.warpAffine(film, turn, (width, height))


def _border(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    height, width = film.shape
    rims = (np.array([height, height, width, width]) * (0.07, 0.14, 0.24)[at] * rng.uniform(0.8, 1.2, 4)).astype(int)
    spoilt = np.full_like(film, rng.choice([0.0, 90.0, 170.0, 255.0]))
    spoilt[rims[0] : height - rims[1], rims[2] : width - rims[3]] = film[
        rims[0] : height - rims[1], rims[2] : width - rims[3]
    ]
    return spoilt


def _burned_text(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    out, size = np.ascontiguousarray(film.astype(np.uint8)), film.shape[0]
    for _ in range((1, 2, 4)[at]):
        text = "".join(rng.choice(_LETTERS, (7, 9, 12)[at]))
        place = (int(rng.integers(0, size // 5)), int(rng.integers(size // 6, size - 6)))
        scale = size / 128 * (0.4, 0.5, 0.55)[at]
        cv2.putText(out, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, max(1, size // 90), cv2.LINE_AA)
    return out.astype(np.float32)


def _one_lung(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    height, width = film.shape
    part = round(width * (0.68, 0.56, 0.42)[at])
    left = int(rng.choice([0, width - part]))
    return cv2.resize(film[:, left : left + part], (width, height), interpolation=cv2.INTER_CUBIC)


def _lateral(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    side = apply_defect(film, "lateral", rng).astype(np.float32)
    side = side[:, ::-1] if rng.random() < 0.5 else side
    return film + (0.4, 0.7, 1.0)[at] * (side - film)


def _underexposed(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    return 255 - (255 - film) * (0.55, 0.35, 0.15)[at] * rng.uniform(0.8, 1.1)


def _overexposed(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    return film * (0.5, 0.3, 0.12)[at] * rng.uniform(0.8, 1.1)


def _cropped(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    height, width = film.shape
    part = (0.7, 0.5, 0.34)[at] * rng.uniform(0.95, 1.05)
    high, wide = round(height * part), round(width * part)
    top, left = int(rng.integers(0, height - high + 1)), int(rng.choice([0, width - wide]))
    return cv2.resize(film[top : top + high, left : left + wide], (width, height), interpolation=cv2.INTER_CUBIC)


def _double_exposure(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    height, width = film.shape
    shift = rng.choice([-1, 1], 2) * rng.uniform(0.12, 0.3, 2) * (width, height)
    again = cv2.warpAffine(film, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (width, height))
    return film + (0.2, 0.35, 0.5)[at] * (again - film)


def _stripes(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    height, width = film.shape
    place = np.arange(height)[:, None] / height if rng.random() < 0.5 else np.arange(width)[None] / width
    wave = np.sign(np.sin(2 * np.pi * (place * rng.uniform(12, 28) + rng.random())))
    return film + (8, 20, 50)[at] * wave


def _mosaic(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    cells = (52, 32, 16)[at] + int(rng.integers(-1, 2))
    small = cv2.resize(film, (cells, cells), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, film.shape[::-1], interpolation=cv2.INTER_NEAREST)


def _missing_part(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    spoilt, (height, width) = film.copy(), film.shape
    high, wide = (round(side * (0.2, 0.35, 0.55)[at] * rng.uniform(0.9, 1.1)) for side in (height, width))
    top, left = int(rng.integers(0, height - high + 1)), int(rng.integers(0, width - wide + 1))
    spoilt[top : top + high, left : left + wide] = rng.choice([0.0, 128.0, 255.0])
    return spoilt


def _not_a_chest(film: np.ndarray, at: int, rng: np.random.Generator) -> np.ndarray:
    other = np.zeros(film.shape, np.float32)
    for cells in (4, 8, 16, 32):
        grid = rng.standard_normal((cells, cells)).astype(np.float32) * 4 / cells
        other += cv2.resize(grid, film.shape[::-1], interpolation=cv2.INTER_CUBIC)
    other = film.mean() + (other - other.mean()) / other.std() * max(float(film.std()), 30.0)
    return film + (0.4, 0.7, 1.0)[at] * (other - film)


_SPOIL: dict[str, Spoil] = {
    "blank": _blank, "nan": _nan, "flat": _flat, "clipped": _clipped, "inverted": _inverted, "blurred": _blurred,
    "noise": _noise, "rotated": _rotated, "border": _border, "burned_text": _burned_text, "one_lung": _one_lung,
    "lateral": _lateral, "underexposed": _underexposed, "overexposed": _overexposed, "cropped": _cropped,
    "double_exposure": _double_exposure, "stripes": _stripes, "mosaic": _mosaic, "missing_part": _missing_part,
    "not_a_chest": _not_a_chest,
}  # fmt: skip
PLANTED: tuple[str, ...] = tuple(_SPOIL)
