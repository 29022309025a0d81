"""Expected calibration error: how far stated probabilities are from observed shares."""

from __future__ import annotations

import numpy as np

from tasks.evaluate.metrics.bootstrap import blocks
from tasks.evaluate.metrics.inputs import checked

BINS = 15


def are_probabilities(scores: np.ndarray) -> bool:
    """Whether every score lies between 0 and 1; calibration is defined for no others, such as cosines or logits."""
    values = np.asarray(scores)
    return bool(((values >= 0) & (values <= 1)).all())


def expected_calibration_error(scores: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """Mean distance between stated probability and share of positives over equal-width bins, weighted by films.

    Bins hold their lower end and not their upper one, but for the last, which holds both; empty bins count nothing.
    Guo et al. 2017 for one finding: the probability is that of the finding, not of the likelier class.

    Args:
        scores: (n,) probabilities of the finding.
        labels: (n,) of 0 and 1.
        bins: of the same width, from 0 to 1.

    Raises:
        ValueError: there is no film, a score is no probability, or a label neither 0 nor 1.
    """
    return float(resampled_calibration_error(scores, labels, np.ones((1, len(scores))), bins)[0])


def resampled_calibration_error(
    scores: np.ndarray, labels: np.ndarray, counts: np.ndarray, bins: int = BINS
) -> np.ndarray:
    """The expected calibration error in each resample: counts (r, n), each row of some films, to (r,) float64.

    Raises:
        ValueError: as `expected_calibration_error`.
    """
    scores, labels = checked(scores, labels)
    if not len(scores):
        raise ValueError("there is no film")
    if not are_probabilities(scores):
        raise ValueError("calibration is defined for probabilities: a score lies outside 0 to 1")
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], scores, side="right")
    excess = np.zeros((len(scores), bins))
    excess[np.arange(len(scores)), place] = scores - labels
    found = np.empty(len(counts))
    for rows in blocks(*counts.shape):
        weights = counts[rows].astype(np.float64)
        found[rows] = np.abs(weights @ excess).sum(axis=1) / weights.sum(axis=1)
    return found
