"""A batch of films as its gates read it: each film shrunk once and embedded once, for all gates together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TypeVar, cast

import cv2
import numpy as np

from models.contracts import Candidate, GateScore
from models.gates.cost import priced

SIDE = 256  # no gate needs more pixels along the longer edge, and time grows with them
GRID = 32  # side of the coarse film
Made = TypeVar("Made")


def film_of(candidate: Candidate) -> np.ndarray:
    """The candidate's film.

    Raises:
        ValueError: it has none yet.
    """
    if candidate.image is None:
        raise ValueError(f"{candidate.sample_id} has no image: film gates come after the image stage")
    return candidate.image


def reduced(film: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The film with at most `side` pixels along its longer edge."""
    longest = max(film.shape)
    if longest <= side:
        return film
    shape = (max(1, round(film.shape[1] * side / longest)), max(1, round(film.shape[0] * side / longest)))
    return cv2.resize(film, shape, interpolation=cv2.INTER_AREA)


def normalised_32px(images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Films of any sizes as float32 (n, GRID²) with zero mean and unit spread; a flat or broken one is zero."""
    rows = np.zeros((len(images), GRID * GRID), np.float32)
    for row, image in zip(rows, images, strict=True):
        small = cv2.resize(np.asarray(image, np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA).ravel()
        spread = small.std() if np.isfinite(small).all() else 0.0
        if spread > 1:
            row[:] = (small - small.mean()) / spread
    return rows


class FilmBatch:
    """A batch of films and what has been made of them; `features` (n, d) by revision of the network."""

    def __init__(self, batch: Sequence[Candidate]) -> None:
        self.raw = [film_of(candidate) for candidate in batch]
        self.features: dict[str, np.ndarray] = {}
        self._measures: dict[str, list[object]] = {}

    def measured(self, name: str, measure: Callable[[np.ndarray | None], Made]) -> list[Made]:
        """`measure` of each of `resized_256px`, taken once however many gates ask for it by `name`."""
        if name not in self._measures:
            self._measures[name] = [measure(film) for film in self.resized_256px]
        return cast(list[Made], self._measures[name])

    @cached_property
    def resized_256px(self) -> list[np.ndarray | None]:
        """Each film `reduced`, float32; None where a value is no number."""
        films = (np.asarray(film, np.float32) for film in self.raw)
        return [reduced(film) if np.isfinite(film).all() else None for film in films]

    @cached_property
    def normalised_32px(self) -> np.ndarray:
        """See `normalised_32px`."""
        return normalised_32px(self.raw)


class CachedCandidates(tuple[Candidate, ...]):
    """Candidates that bring their view along: gates that score them one after the other share it."""

    @cached_property
    def films(self) -> FilmBatch:
        """See `FilmBatch`."""
        return FilmBatch(self)


class FilmGate:
    """A gate over films alone. Subclasses score a `FilmBatch`, which an ensemble shares among its members."""

    name = ""

    @priced
    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """See the class."""
        return self.score_batch(batch.films if isinstance(batch, CachedCandidates) else FilmBatch(batch))

    def score_batch(self, films: FilmBatch) -> list[GateScore]:
        """One score per film, in order."""
        raise NotImplementedError
