"""Index a training archive together with the figures of its limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from models.contracts import Candidate, Encoder
from models.gates.film.basics import Contrast
from models.gates.training_index import TrainingSetIndex, build_index
from tasks.privacy.canaries import CanaryFigures, calibrate, plant

CLEAR = 0.4  # contrast that a film must have: blank films are all alike, and no copy of one can be recognised
SEEDS = 3


class NotEnoughFilms(ValueError):
    """Too few archive or unseen films to measure anything; the message states how many are needed."""


def index_and_measure(
    archive: Iterable[tuple[str, np.ndarray]],
    unseen: Iterable[tuple[str, np.ndarray]],
    encoder: Encoder,
    *,
    canaries: int = 60,
    false_alarms: float = 0.01,
) -> tuple[TrainingSetIndex, CanaryFigures]:
    """Index `archive`, set the limit on half of `unseen` and measure it on the other half and on planted copies.

    Raises:
        NotEnoughFilms: too few clear archive films to copy, or too few unseen ones.
    """
    originals: list[np.ndarray] = []

    def passing_by() -> Iterator[tuple[str, np.ndarray]]:
        for name, film in archive:
            if len(originals) < canaries and clear(film):
                originals.append(film)
            yield name, film

    index = build_index(passing_by(), encoder)
    others = [film for _, film in unseen]
    if len(originals) < canaries:
        raise NotEnoughFilms(f"{canaries} clear films are to be copied, the archive has {len(originals)}")
    if len(others) * false_alarms < 2:
        raise NotEnoughFilms(
            f"{len(others)} unseen films cannot set and check a rate of {false_alarms:g}: take {2 / false_alarms:.0f}"
        )
    index = calibrate(index, encoder, others[::2], false_alarms)
    figures = plant(index, encoder, originals, others[1::2], seeds=SEEDS)
    return index.with_limit(index.limit, figures.statistics()), figures


def clear(film: np.ndarray) -> bool:
    """Whether the film has enough contrast for a copy of it to be recognised."""
    return Contrast().score([Candidate("film", (), "", "", film)])[0].score >= CLEAR
