"""Films of any shape on squares of one size, and the places of findings on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from storage.masks import encode_mask
from storage.records import Box, Mask
from tasks.corpora.archives import film as archive


@dataclass(frozen=True, slots=True)
class Square:
    """How a film of `height` x `width` pixels lies in a square of `size`: whole, in its own proportions, centred.

    What is left of the square is black.
    """

    height: int
    width: int
    size: int

    @property
    def scale(self) -> float:
        """Pixels of the square for one of the film."""
        return self.size / max(self.height, self.width)

    @property
    def inner(self) -> tuple[int, int]:
        """Height and width of the film in the square."""
        return max(1, round(self.height * self.scale)), max(1, round(self.width * self.scale))

    @property
    def corner(self) -> tuple[int, int]:
        """Top and left edge of the film in the square."""
        height, width = self.inner
        return (self.size - height) // 2, (self.size - width) // 2

    def place(self, film: np.ndarray) -> np.ndarray:
        """The film (height, width) uint8 as (size, size) uint8."""
        way = cv2.INTER_AREA if self.scale < 1 else cv2.INTER_LINEAR
        return self._framed(np.asarray(cv2.resize(film, self.inner[::-1], interpolation=way), np.uint8))

    def box(self, box: archive.Box, frame: tuple[float, float] | None = None) -> Box | None:
        """A box of the film on the square, cut at the film's edges; None where nothing of it is on the film.

        Args:
            box: in pixels of the film, or of a copy of it whose width and height are `frame`.
            frame: see `box`.
        """
        (rows, columns), (top, left) = self.inner, self.corner
        across, down = (columns / frame[0], rows / frame[1]) if frame else (self.scale, self.scale)
        low, high = (min(max(edge * across, 0.0), float(columns)) for edge in (box.x, box.x + box.width))
        upper, lower = (min(max(edge * down, 0.0), float(rows)) for edge in (box.y, box.y + box.height))
        if high <= low or lower <= upper:
            return None
        return Box(finding=box.finding, x=left + low, y=top + upper, width=high - low, height=lower - upper)

    def mask(self, finding: str, area: np.ndarray) -> Mask | None:
        """An area of the film (any height and width in its proportions) on the square; None where it is empty."""
        inner = cv2.resize(area.astype(np.uint8), self.inner[::-1], interpolation=cv2.INTER_NEAREST)
        framed = self._framed(np.asarray(inner, np.uint8))
        return encode_mask(finding, framed) if framed.any() else None

    def _framed(self, inner: np.ndarray) -> np.ndarray:
        (rows, columns), (top, left) = self.inner, self.corner
        framed = np.zeros((self.size, self.size), np.uint8)
        framed[top : top + rows, left : left + columns] = inner
        return framed
