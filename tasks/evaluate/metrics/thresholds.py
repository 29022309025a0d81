"""Decisions at a threshold that other films gave: F1, Matthews' correlation, sensitivity, specificity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.evaluate.metrics.inputs import checked

Decision = Literal["F1", "MCC"]
DECISIONS: tuple[Decision, ...] = ("F1", "MCC")
"""What a threshold may be the best for: F1, or Matthews' correlation coefficient."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What a threshold makes of films: a score at or above it is taken for the finding.

    Args:
        threshold: in units of the scores.
        true_positives, false_positives, true_negatives, false_negatives: films.
    """

    threshold: float
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and sensitivity; 0 where no film is or is taken for positive."""
        wrong = self.false_positives + self.false_negatives
        return _share(2 * self.true_positives, wrong + 2 * self.true_positives) if self.true_positives else 0.0

    @property
    def sensitivity(self) -> float:
        """Share of the positives that are found; NaN without positives."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> float:
        """Share of the negatives that are let alone; NaN without negatives."""
        return _share(self.true_negatives, self.true_negatives + self.false_positives)


def at_threshold(scores: np.ndarray, labels: np.ndarray, threshold: float) -> OperatingPoint:
    """Count what a threshold makes of films: scores (n,), labels (n,) of 0 and 1.

    Raises:
        ValueError: a score is not finite, or a label neither 0 nor 1.
    """
    scores, labels = checked(scores, labels)
    taken = scores >= threshold
    hits, positives = int((taken & labels).sum()), int(labels.sum())
    alarms = int(taken.sum()) - hits
    return OperatingPoint(threshold, hits, alarms, len(labels) - positives - alarms, positives - hits)


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What a threshold makes of films, or of many resamples of them: films of each kind, float64 of one shape."""

    true_positives: np.ndarray
    false_positives: np.ndarray
    true_negatives: np.ndarray
    false_negatives: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and sensitivity; NaN without a positive or without a negative film."""
        wrong = self.false_positives + self.false_negatives
        return self._both(_ratio(2 * self.true_positives, 2 * self.true_positives + wrong))

    @property
    def mcc(self) -> np.ndarray:
        """Matthews' correlation, 0 where all films are taken or none; NaN without a positive or a negative film."""
        hits, alarms = self.true_positives, self.false_positives
        spared, missed = self.true_negatives, self.false_negatives
        spread = np.sqrt((hits + alarms) * (hits + missed)) * np.sqrt((spared + alarms) * (spared + missed))
        return self._both(_ratio(hits * spared - alarms * missed, spread))

    @property
    def missed(self) -> np.ndarray:
        """False-negative rate, the share of the positives that are not found; NaN without a positive film."""
        positives = self.true_positives + self.false_negatives
        return np.where(positives > 0, _ratio(self.false_negatives, positives), np.nan)

    def _both(self, values: np.ndarray) -> np.ndarray:
        positives = self.true_positives + self.false_negatives
        negatives = self.true_negatives + self.false_positives
        return np.where((positives > 0) & (negatives > 0), values, np.nan)


def resampled_decisions(scores: np.ndarray, labels: np.ndarray, threshold: float, counts: np.ndarray) -> Decided:
    """Count what a threshold makes of each resample: scores (n,), labels (n,) of 0 and 1, counts (r, n) to (r,).

    Raises:
        ValueError: a score is not finite, or a label neither 0 nor 1.
    """
    scores, labels = checked(scores, labels)
    taken = scores >= threshold
    kinds = np.stack([taken & labels, taken & ~labels, ~taken & ~labels, ~taken & labels], axis=1)
    return Decided(*(counts @ kinds.astype(counts.dtype)).astype(np.float64).T)


def threshold_from(scores: np.ndarray, labels: np.ndarray, decision: Decision = "F1") -> float:
    """The threshold on validation films with the highest F1 or correlation, the highest such where several are level.

    It is one of the scores. Apply it to test films with `at_threshold`; a threshold taken from the test films
    themselves is `oracle`.

    Raises:
        ValueError: no film is positive, a score is not finite, or a label neither 0 nor 1.
    """
    scores, labels = checked(scores, labels)
    if not labels.any():
        raise ValueError("no film is positive: a threshold needs some")
    levels, group = np.unique(-scores, return_inverse=True)
    taken = np.cumsum(np.bincount(group))
    hits = np.cumsum(np.bincount(group, weights=labels))
    positives, alarms = labels.sum(), taken - hits
    if decision == "F1":
        return float(-levels[int(np.argmax(2 * hits / (taken + positives)))])
    found = Decided(hits, alarms, len(labels) - positives - alarms, positives - hits).mcc
    return float(-levels[int(np.argmax(np.nan_to_num(found)))])


def oracle(scores: np.ndarray, labels: np.ndarray) -> OperatingPoint:
    """The point of highest F1 on these very films: an upper bound, named ``*_oracle`` wherever it is reported."""
    return at_threshold(scores, labels, threshold_from(scores, labels))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
