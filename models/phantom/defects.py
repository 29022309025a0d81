"""Spoil films the way archives are spoilt: the label and the report stay, and that is what makes them bad data."""

from __future__ import annotations

import cv2
import numpy as np

DEFECTS: tuple[str, ...] = (
    "blank", "inverted", "blurred", "lateral", "rotated", "burned_text", "underexposed", "overexposed",
    "cropped", "noise",
)  # fmt: skip


def apply_defect(image: np.ndarray, kind: str, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """A spoilt copy of a film.

    Args:
        image: (H, W) uint8.
        kind: one of `DEFECTS`.
        rng: source of every draw.
        strength: 0 (hardly) to 1 (fully).

    Raises:
        ValueError: no such defect.
    """
    if kind not in DEFECTS:
        raise ValueError(f"defect {kind!r} does not exist; there are {', '.join(DEFECTS)}")
    spoilt = globals()[f"_{kind}"](image.astype(np.float32), rng)
    mixed = spoilt if kind in ("lateral", "rotated", "cropped") else image + strength * (spoilt - image)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def _blank(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.full_like(image, rng.choice([0.0, 18.0, 235.0, 255.0])) + rng.normal(0, 1.0, image.shape)


def _inverted(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    del rng
    return 255.0 - image


def _blurred(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), image.shape[0] / 128 * rng.uniform(4.5, 7.0))


def _rotated(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.ascontiguousarray(np.rot90(image, int(rng.integers(1, 4))))


def _underexposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 255.0 - (255.0 - image) * rng.uniform(0.08, 0.16)


def _overexposed(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return image * rng.uniform(0.06, 0.14)


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 0.35 * image + 80 + rng.normal(0, 75, image.shape).astype(np.float32)


def _cropped(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Only a corner of the chest."""
    size = image.shape[0]
    part = int(size * rng.uniform(0.32, 0.42))
    top, left = int(rng.integers(0, size - part)), int(rng.choice([0, size - part]))
    return cv2.resize(image[top : top + part, left : left + part], (size, size), interpolation=cv2.INTER_CUBIC)


def _burned_text(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patient's name plate across the film."""
    out, size = np.clip(image, 0, 255).astype(np.uint8), image.shape[0]
    for _ in range(int(rng.integers(3, 5))):
        text = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ0123456789 "), int(rng.integers(9, 14))))
        at = (int(rng.integers(0, size // 8)), int(rng.integers(size // 6, size - 6)))
        cv2.putText(out, text, at, cv2.FONT_HERSHEY_SIMPLEX, size / 128 * 0.52, 255, max(1, size // 90), cv2.LINE_AA)
    return out.astype(np.float32)


def _lateral(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A side view: one lung field before the spine, the heart in front, the sternum at the edge."""
    size = image.shape[0]
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (128 / size)
    shift = rng.uniform(-5, 5)
    x = x - shift
    body = np.exp(-(np.clip(np.abs(x - 64) - 46, 0, None) ** 2) / 12)
    lung = np.exp(-np.clip(((x - 66) / 30) ** 2 + ((y - 62) / 44) ** 2 - 1, 0, None) * 6)
    dome = 1 / (1 + np.exp(-(y - 98 + 0.012 * (x - 55) ** 2) / 1.6))
    heart = np.exp(-np.clip(((x - 48) / 17) ** 2 + ((y - 80) / 17) ** 2 - 1, 0, None) * 5)
    spine = np.exp(-(np.clip(np.abs(x - (92 + 5 * np.sin(y / 40))) - 6, 0, None) ** 2) / 8) * (
        0.8 + 0.2 * np.sin(y * 0.75)
    )
    ribs = 0.5 + 0.5 * np.sin((y + 0.35 * x) * 0.62)
    density = 1.25 * body - 0.75 * lung * (1 - dome) + 0.42 * heart + 0.35 * spine + 0.08 * ribs * lung
    film = 255 / (1 + np.exp(-2.6 * (density - 0.95)))
    return (film * np.clip(body, 0, 1) + rng.normal(0, 3, image.shape)).astype(np.float32)
