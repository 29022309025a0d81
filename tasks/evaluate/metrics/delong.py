"""Variance and covariance of AUROCs on the same films, without resampling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.bootstrap import patient_numbers
from tasks.evaluate.metrics.inputs import checked


@dataclass(frozen=True, slots=True, eq=False)
class AurocCovariance:
    """AUROCs (k,) of k scores for the same films, and their covariance (k, k)."""

    aurocs: np.ndarray
    covariance: np.ndarray

    def standard_error(self, at: int = 0) -> float:
        """Of one AUROC."""
        return float(np.sqrt(max(self.covariance[at, at], 0.0)))

    def difference(self, one: int, other: int) -> tuple[float, float]:
        """AUROC of `one` less that of `other`, and its standard error."""
        step = np.zeros(len(self.aurocs))
        step[one] += 1
        step[other] -= 1
        return float(step @ self.aurocs), float(np.sqrt(max(step @ self.covariance @ step, 0.0)))


def delong(scores: np.ndarray, labels: np.ndarray) -> AurocCovariance:
    """DeLong, DeLong and Clarke-Pearson 1988, by midranks (Sun and Xu 2014): O(k n log n).

    Args:
        scores: (k, n) of k models for n films, or (n,) of one.
        labels: (n,) of 0 and 1.

    Raises:
        CannotScore: fewer than two positives or two negatives.
        ValueError: a score is not finite, or a label neither 0 nor 1.
    """
    return clustered_delong(scores, labels, tuple(map(str, range(len(labels)))))


def clustered_delong(scores: np.ndarray, labels: np.ndarray, patients: Sequence[str]) -> AurocCovariance:
    """DeLong's covariance where films of one patient depend on each other (Obuchowski 1997, Biometrics 53, 567).

    Placement values are summed over a patient's films before they are squared; patients with positive and negative
    films add a term of their own. With one film per patient it is DeLong's.

    Args:
        scores: (k, n) of k models for n films, or (n,) of one.
        labels: (n,) of 0 and 1.
        patients: the patient of each film.

    Raises:
        CannotScore: fewer than two patients with a positive film, or with a negative one.
        ValueError: a score is not finite, or a label neither 0 nor 1.
    """
    table = np.atleast_2d(np.asarray(scores, np.float64))
    truth = checked(table[0], labels)[1]
    number = patient_numbers(patients)
    sides = (truth, ~truth)
    clusters = [len(np.unique(number[side])) for side in sides]
    if min(clusters) < 2:
        raise CannotScore(
            f"{clusters[0]} patients have a positive film and {clusters[1]} a negative one: the variance of an AUROC "
            "needs two of each"
        )
    placed = [placements(row, truth) for row in table]
    aurocs = np.array([of_positives.mean() for of_positives, _ in placed])
    positive, negative = (
        np.stack([_by_patient(pair[at] - auroc, number, side) for pair, auroc in zip(placed, aurocs, strict=True)])
        / side.sum()
        for at, side in enumerate(sides)
    )
    mixed = positive @ negative.T
    covariance = (
        positive @ positive.T * _unbiased(clusters[0])
        + negative @ negative.T * _unbiased(clusters[1])
        + (mixed + mixed.T) * _unbiased(positive.shape[1])
    )
    return AurocCovariance(aurocs, covariance)


def placements(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of negatives that each positive beats, and of positives that each negative stays below; ties half.

    Both have the AUROC as their mean.

    Args:
        scores: (n,).
        labels: (n,) of 0 and 1, both there.
    """
    scores, labels = checked(scores, labels)
    ranks = midranks(scores)
    positives, negatives = int(labels.sum()), int((~labels).sum())
    found = (ranks[labels] - midranks(scores[labels])) / negatives
    spared = 1 - (ranks[~labels] - midranks(scores[~labels])) / positives
    return found, spared


def midranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def _by_patient(values: np.ndarray, number: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Sums over the films of each patient, (patients,), of values for the films of one side."""
    return np.bincount(number[side], weights=values, minlength=int(number.max()) + 1)


def _unbiased(clusters: int) -> float:
    return clusters / (clusters - 1)
