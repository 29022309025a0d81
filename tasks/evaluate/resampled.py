"""Resamples of films and of patients that serve every trial, and figures with intervals from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tasks.evaluate.metrics.bootstrap import draw_counts, draw_patient_counts, interval
from tasks.evaluate.scores import Figure

ByUnit = Mapping[str, np.ndarray]
"""By unit, ``film`` and where they are known ``patient``: a figure on all films, then in each resample."""


def draw(films: int, patients: Sequence[str | None] | None, resamples: int, seed: int) -> ByUnit:
    """How often each film counts, (1 + resamples, films) for each unit: once each in the first row, then resampled.

    A film without a patient among others that have one is drawn on its own.
    """
    once = np.ones((1, films), np.float32)
    counts = {"film": np.concatenate([once, draw_counts(films, resamples, seed)])}
    if patients is not None:
        counts["patient"] = np.concatenate(
            [once, draw_patient_counts(unit_names(range(films), patients), resamples, seed)]
        )
    return counts


def unit_names(films: Iterable[str | int], patients: Sequence[str | None]) -> list[str]:
    """Whose each film is; a film without a patient is a unit of its own."""
    pairs = zip(films, patients, strict=True)
    return [f"film {film}" if patient is None else f"patient {patient}" for film, patient in pairs]


def mean_over_seeds(parts: Sequence[ByUnit]) -> ByUnit:
    """The mean of figures of several seeds, taken in each resample."""
    return {unit: np.mean([part[unit] for part in parts], axis=0) for unit in parts[0]}


def mean_figure(parts: Sequence[ByUnit], confidence: float) -> Figure:
    """The mean of a figure over seeds, with its interval: over patients where they are known, else films.

    Raises:
        CannotScore: no resample has a value.
    """
    found = mean_over_seeds(parts)
    by_film = interval(found["film"][1:], confidence)
    value = float(found["film"][0])
    if "patient" not in found:
        return Figure(value=value, **by_film)
    by_patient = interval(found["patient"][1:], confidence)
    return Figure(value=value, **by_patient, low_film=by_film["low"], high_film=by_film["high"])


def sd_over_seeds(parts: Sequence[ByUnit]) -> float | None:
    """The standard deviation of a figure over seeds; None for a single one."""
    return float(np.std([part["film"][0] for part in parts], ddof=1)) if len(parts) > 1 else None


def drawn_units(patients: Sequence[str | None] | None) -> dict[str, Any]:
    """What `draw` resamples, as `tasks.evaluate.scores.ScoreTable` has it: the unit, and how many patients."""
    if patients is None:
        return {"unit": "film", "patients": None}
    return {"unit": "patient", "patients": len(set(patients) - {None})}
