"""Films on their way into a fidelity report: embedded as they come, and never all held at their full size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from models.contracts import Encoder

PICTURE = 256  # most pixels of a side that MS-SSIM compares
_BATCH = 64


@dataclass(frozen=True, slots=True)
class Film:
    """A film (H, W) uint8, and 1 for every finding that it shows."""

    pixels: np.ndarray
    labels: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """Films as they are compared, in one order.

    Args:
        features: (n, d), of mean square 1: at unit length KID's kernel, which adds 1 to a product, would see little.
        labels: (n, findings) of 0 and 1.
        pictures: (n, s, s) uint8.
    """

    features: np.ndarray
    labels: np.ndarray
    pictures: np.ndarray


class FeatureAccumulator:
    """Takes films one by one and makes a `FeatureSet` of them.

    Args:
        encoder: embeds them, a batch at a time.
        findings: the columns of their labels.
        picture: pixels of a side of their pictures.
    """

    def __init__(self, encoder: Encoder, findings: Sequence[str], picture: int) -> None:
        self._encoder, self._findings, self._picture = encoder, findings, picture
        self._waiting: list[np.ndarray] = []
        self._features: list[np.ndarray] = []
        self._labels: list[list[int]] = []
        self._pictures: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, film: Film) -> None:
        """Take one film."""
        self._waiting.append(film.pixels)
        self._labels.append([int(film.labels.get(finding, 0) > 0) for finding in self._findings])
        self._pictures.append(picture_of(film.pixels, self._picture))
        if len(self._waiting) == _BATCH:
            self._embed()

    def side(self) -> FeatureSet:
        """All that were taken, at least one."""
        if self._waiting:
            self._embed()
        return FeatureSet(np.concatenate(self._features), np.array(self._labels), np.stack(self._pictures))

    def _embed(self) -> None:
        rows = self._encoder.embed(self._waiting)
        self._features.append(rows * np.float32(rows.shape[1] ** 0.5))
        self._waiting = []


def picture_of(film: np.ndarray, side: int) -> np.ndarray:
    """The film (side, side) uint8."""
    return film if film.shape == (side, side) else cv2.resize(film, (side, side), interpolation=cv2.INTER_AREA)
