"""Intervals of AUROC and average precision over resamples of patients and of films."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.metrics.bootstrap import count_blocks, interval, patient_numbers
from tasks.evaluate.metrics.macro import macro_mean
from tasks.evaluate.metrics.ranking import resampled_auroc, resampled_average_precision
from tasks.evaluate.score_files.join import ScoredFiles
from tasks.evaluate.score_files.report import Estimate, Interval

if TYPE_CHECKING:
    from models.contracts import ProgressCallback

METRICS = {"auroc": resampled_auroc, "auprc": resampled_average_precision}


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How intervals are made: resamples, confidence, and the seed of the draw."""

    resamples: int = 1000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Resampled:
    """A metric of every label on all films, (labels,), and by unit in each resample, (labels, resamples)."""

    values: np.ndarray
    by_unit: Mapping[str, np.ndarray]

    def of(self, row: int, confidence: float) -> Estimate:
        """The estimate of one label."""
        return self._estimate(
            float(self.values[row]), {unit: table[row] for unit, table in self.by_unit.items()}, confidence
        )

    def macro(self, confidence: float) -> Estimate:
        """The estimate of the mean over the labels."""
        means = {unit: macro_mean(table) for unit, table in self.by_unit.items()}
        return self._estimate(float(self.values.mean()), means, confidence)

    @staticmethod
    def _estimate(value: float, resamples: Mapping[str, np.ndarray], confidence: float) -> Estimate:
        found = {unit: Interval(**interval(row, confidence)) for unit, row in resamples.items()}
        return Estimate(value=value, by_film=found["film"], by_patient=found.get("patient"))


def resample(
    files: ScoredFiles, used: Sequence[int], bootstrap: Bootstrap, on_progress: ProgressCallback | None
) -> dict[str, Resampled]:
    """Every metric of the labels `used`, on all films and in every resample.

    The same resamples serve all labels and metrics. A resample holds a film as often as its unit was drawn.
    """
    units = {"film": np.arange(len(files.films))}
    if files.patients is not None:
        units["patient"] = patient_numbers(files.patients)
    shape = (len(used), bootstrap.resamples)
    tables = {metric: {unit: np.empty(shape) for unit in units} for metric in METRICS}
    for unit, number in units.items():
        for rows, counts in count_blocks(number, bootstrap.resamples, bootstrap.seed):
            for metric, table in tables.items():
                table[unit][:, rows] = _values(files, used, metric, counts)
            if on_progress:
                on_progress(f"resamples by {unit}", rows.stop, bootstrap.resamples)
    once = np.ones((1, len(files.films)), np.float32)
    return {metric: Resampled(_values(files, used, metric, once)[:, 0], tables[metric]) for metric in METRICS}


def _values(files: ScoredFiles, used: Sequence[int], metric: str, counts: np.ndarray) -> np.ndarray:
    """A metric of every label in each resample, (labels, resamples)."""
    return np.stack([
        METRICS[metric](scores, truth, counts[:, known]) for scores, truth, known in map(files.label, used)
    ])  # fmt: skip
