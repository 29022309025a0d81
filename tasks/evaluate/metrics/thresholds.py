"""Decisions at a threshold that other films gave: F1, sensitivity, specificity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.evaluate.metrics.inputs import checked


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


def threshold_from(scores: np.ndarray, labels: np.ndarray) -> float:
    """The threshold of highest F1 on validation films, the highest such one where several are level.

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
    return float(-levels[int(np.argmax(2 * hits / (taken + labels.sum())))])


def oracle(scores: np.ndarray, labels: np.ndarray) -> OperatingPoint:
    """The point of highest F1 on these very films: an upper bound, named ``*_oracle`` wherever it is reported."""
    return at_threshold(scores, labels, threshold_from(scores, labels))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
