"""What a film read from any kind of file is: 8-bit greys and its header, and how other scales become 8 bits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from storage.png import MOST_PIXELS
from tasks.corpora.archives.errors import UnreadableFilm

REST = 0.001
"""Share of the pixels at either end of a film's greys that does not count for their span: markers and dead pixels."""
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Header:
    """The facts in a DICOM file's header; empty for other files. `age` as it stands there, such as ``062Y``."""

    patient: str | None = None
    study: str | None = None
    view: str | None = None
    sex: str | None = None
    age: str | None = None


@dataclass(frozen=True, slots=True)
class Film:
    """Pixels (H, W) uint8, bright where the body is dense; what kind of file they come from; its header."""

    pixels: np.ndarray
    kind: str
    header: Header = field(default_factory=Header)


def refuse_bomb(width: int, height: int) -> None:
    """Raises:
    UnreadableFilm: a header claims more pixels than a film has, or none.
    """
    if width * height > MOST_PIXELS:
        raise UnreadableFilm(f"{width} x {height} pixels are refused, a film has at most {MOST_PIXELS}")
    if width <= 0 or height <= 0:
        raise UnreadableFilm("it has no pixels")


def to_8_bits(values: np.ndarray, body: np.ndarray | None = None) -> np.ndarray:
    """Values (H, W) of any scale as uint8: their span but for `REST` at either end; one value alone is black.

    Args:
        values: the film.
        body: (H, W) bool, which pixels count for the span; default: all.
    """
    counted = values if body is None else values[body]
    low, high = np.quantile(counted, (REST, 1 - REST))
    if high <= low:
        low, high = counted.min(), counted.max()
    scaled = (values.astype(np.float32) - low) * (255 / max(float(high - low), 1e-9))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def luminance(colours: np.ndarray) -> np.ndarray:
    """RGB (..., 3) of any scale as greys (...) float32 of the same scale."""
    return colours.astype(np.float32) @ _LUMA
