"""Every metric of the labels of some films, in each resample of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from tasks.evaluate.labels import Labels
from tasks.evaluate.metrics.calibration import resampled_calibration_error
from tasks.evaluate.metrics.macro import macro_mean, with_both_classes
from tasks.evaluate.metrics.ranking import resampled_auroc, resampled_average_precision
from tasks.evaluate.metrics.thresholds import DECISIONS, Decision, resampled_decisions, threshold_from
from tasks.evaluate.resampled import ByUnit

AUROC, AUPRC, ECE, ORACLE = "AUROC", "AUPRC", "ECE", " (oracle)"
RANKING = {AUROC: resampled_auroc, AUPRC: resampled_average_precision}
Thresholds = Mapping[Decision, Mapping[str, float]]
"""By what they are the best for and by label, the thresholds that validation films gave."""


@dataclass(frozen=True, slots=True, eq=False)
class ResampledMetrics:
    """The metrics of the labels that can be scored.

    Args:
        tables: by metric and unit (labels, 1 + resamples), all films first; NaN for a label without the metric.
        used: the numbers of these labels.
        thresholds: of each of these labels, by metric.
    """

    tables: Mapping[str, ByUnit]
    used: tuple[int, ...]
    thresholds: tuple[Mapping[str, float], ...]

    def label(self, metric: str, row: int) -> ByUnit:
        """A metric of label ``used[row]``, (1 + resamples,)."""
        return {unit: table[row] for unit, table in self.tables[metric].items()}

    def macro(self, metric: str, rows: Sequence[int] | None = None) -> ByUnit:
        """The mean of a metric over the labels, or over those in `rows`, (1 + resamples,).

        In a resample that lacks one class of a label the mean is taken over the other labels.
        """
        return {
            unit: macro_mean(table if rows is None else table[list(rows)])
            for unit, table in self.tables[metric].items()
        }


def resample(
    scores: np.ndarray, labels: Labels, counts: ByUnit, thresholds: Thresholds, *, logits: bool = False
) -> ResampledMetrics:
    """Every metric of every label with both classes, in each resample.

    Args:
        scores: (films, labels), higher means more likely present.
        labels: of these films.
        counts: from `tasks.evaluate.resampled.draw`.
        thresholds: of the decisions beside the oracle's, which take the best thresholds on these films.
        logits: the sigmoid of a score is a probability, and has a calibration error.
    """
    used = with_both_classes(labels.values, labels.known)
    oracle = best_thresholds(scores, labels)
    cutoffs = {**thresholds, **{f"{decision}{ORACLE}": held for decision, held in oracle.items()}}
    names = [*RANKING, *cutoffs, *([ECE] if logits else [])]
    tables = {name: {unit: np.full((len(used), len(rows)), np.nan) for unit, rows in counts.items()} for name in names}
    chosen = [
        {name: held[labels.names[at]] for name, held in cutoffs.items() if labels.names[at] in held} for at in used
    ]
    for row, at in enumerate(used):
        known = labels.known[:, at]
        figures = _figures(scores[known, at], labels.values[known, at], chosen[row], logits=logits)
        for unit, drawn in counts.items():
            weights = drawn if known.all() else drawn[:, known]
            for name, figure in figures.items():
                tables[name][unit][row] = figure(weights)
    return ResampledMetrics(tables, used, tuple(chosen))


def best_thresholds(scores: np.ndarray, labels: Labels) -> Thresholds:
    """For each decision the best threshold of every label that has both classes on these films.

    Args:
        scores: (films, labels).
        labels: of these films.
    """
    found: dict[Decision, dict[str, float]] = {decision: {} for decision in DECISIONS}
    for at in with_both_classes(labels.values, labels.known):
        known = labels.known[:, at]
        for decision, held in found.items():
            held[labels.names[at]] = threshold_from(scores[known, at], labels.values[known, at], decision)
    return found


def _figures(
    scores: np.ndarray, truth: np.ndarray, thresholds: Mapping[str, float], *, logits: bool
) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """The metrics of one label: from how often resamples hold each film, (r, films), to figures (r,)."""
    from scipy.special import expit  # pyright: ignore[reportMissingTypeStubs]

    found: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        name: partial(metric, scores, truth) for name, metric in RANKING.items()
    }
    found |= {name: partial(_decision, name, scores, truth, threshold) for name, threshold in thresholds.items()}
    if logits:
        found[ECE] = partial(resampled_calibration_error, expit(scores.astype(np.float64)), truth)
    return found


def _decision(name: str, scores: np.ndarray, truth: np.ndarray, threshold: float, counts: np.ndarray) -> np.ndarray:
    decided = resampled_decisions(scores, truth, threshold, counts)
    return decided.f1 if name.startswith("F1") else decided.mcc
