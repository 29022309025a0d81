"""Resamples of films, or of patients with all their films, and percentile intervals over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tasks.evaluate.labels import CannotScore

_CELLS = 1 << 22
"""Resamples times films of a block: 16 MiB in float32, 32 MiB in float64."""


def draw_counts(films: int, resamples: int, seed: int) -> np.ndarray:
    """How often each resample holds each film: (resamples, films) float32, every row sums to `films`.

    One draw serves every arm, so that differences between arms are paired.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(films, np.full(films, 1 / films), size=resamples).astype(np.float32)


def draw_patient_counts(patients: Sequence[str], resamples: int, seed: int) -> np.ndarray:
    """How often each resample of patients, with all their films, holds each film: (resamples, films) float32.

    Films of one patient are alike, so drawing films as if they were apart gives intervals that are too narrow. With
    one film per patient this is the draw of `draw_counts`.

    Args:
        patients: the patient of each film.
        resamples: number of resamples.
        seed: of the draw.
    """
    place = patient_numbers(patients)
    return draw_counts(int(place.max()) + 1, resamples, seed)[:, place]


def count_blocks(unit: np.ndarray, resamples: int, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    """The draw of `draw_patient_counts` a block of resamples at a time, so that memory is bounded.

    Args:
        unit: the number of each film's patient, or of the film itself, from 0 without gaps.
        resamples: number of resamples.
        seed: of the draw.

    Yields:
        Which resamples these are, and how often each holds each film, (block, films) float32.
    """
    rng, units = np.random.default_rng(seed), int(unit.max()) + 1
    for rows in blocks(resamples, len(unit)):
        counts = rng.multinomial(units, np.full(units, 1 / units), size=rows.stop - rows.start).astype(np.float32)
        yield rows, counts[:, unit]


def blocks(resamples: int, films: int) -> Iterator[slice]:
    """Resamples some at a time, so that memory is bounded: which these are."""
    size = max(1, _CELLS // max(films, 1))
    return (slice(at, min(at + size, resamples)) for at in range(0, resamples, size))


def patient_numbers(patients: Sequence[str]) -> np.ndarray:
    """A number for each film's patient, (films,), from 0 in the order in which patients first appear."""
    known: dict[str, int] = {}
    return np.array([known.setdefault(patient, len(known)) for patient in patients], np.int64)


def interval(resamples: np.ndarray, confidence: float) -> dict[str, float]:
    """Percentile interval (linear interpolation) over the resamples that are numbers, as ``low`` and ``high``.

    Raises:
        CannotScore: none is.
    """
    if np.isnan(resamples).all():
        raise CannotScore("no resample of the films holds both classes of a finding: take more films or resamples")
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(resamples, [tail, 100 - tail])
    return {"low": float(low), "high": float(high)}
