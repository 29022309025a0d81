"""AUROC and average precision, for one set of films or for many resamples of it at once."""

from __future__ import annotations

import numpy as np

from tasks.evaluate.metrics.bootstrap import blocks
from tasks.evaluate.metrics.inputs import checked


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half, as `sklearn.metrics.roc_auc_score`.

    Args:
        scores: (n,), higher means more likely present; compared in float64.
        labels: (n,) of 0 and 1.

    Returns:
        A number from 0 to 1, NaN where only one class is present.
    """
    return float(resampled_auroc(scores, labels, np.ones((1, len(scores)), np.float32))[0])


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the precision-recall curve by steps, tied films taken together, as scikit-learn's of that name.

    Returns:
        A number from 0 to 1, NaN where only one class is present (where scikit-learn gives 0 or 1).
    """
    return float(resampled_average_precision(scores, labels, np.ones((1, len(scores)), np.float32))[0])


def resampled_auroc(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """AUROC in each resample: scores (n,), labels (n,) of 0 and 1, counts (r, n) to (r,) float64.

    The films are sorted once; a positive beats the negatives whose cumulated weight lies below it, and half of
    those level with it. A resample with one class only gives NaN.

    Raises:
        ValueError: a score is not finite, or a label neither 0 nor 1.
    """
    scores, labels = checked(scores, labels)
    order = np.argsort(scores, kind="stable")
    ranked, positive = scores[order], labels[order]
    at = np.flatnonzero(positive)
    first = np.searchsorted(ranked, ranked[at], side="left")
    last = np.searchsorted(ranked, ranked[at], side="right")
    found = np.empty(len(counts))
    for rows in blocks(*counts.shape):
        weights = counts[rows, :][:, order]
        below = np.zeros((len(weights), len(scores) + 1))
        np.cumsum(weights * ~positive, axis=1, dtype=np.float64, out=below[:, 1:])
        weight = weights[:, at].astype(np.float64)
        wins = (weight * (below[:, first] + below[:, last])).sum(axis=1) / 2
        found[rows] = _divided(wins, weight.sum(axis=1) * below[:, -1])
    return found


def resampled_average_precision(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Average precision in each resample: scores (n,), labels (n,) of 0 and 1, counts (r, n) to (r,) float64.

    Only thresholds at which a positive is gained add to the sum, so precision is worked out at those alone. A
    resample with one class only gives NaN.

    Raises:
        ValueError: a score is not finite, or a label neither 0 nor 1.
    """
    scores, labels = checked(scores, labels)
    order = np.argsort(-scores, kind="stable")
    falling, positive = -scores[order], labels[order]
    last = np.unique(np.searchsorted(falling, falling[positive], side="right")) - 1
    found = np.empty(len(counts))
    for rows in blocks(*counts.shape):
        weights = counts[rows, :][:, order]
        hits = np.cumsum(weights * positive, axis=1, dtype=np.float64)
        taken = np.cumsum(weights, axis=1, dtype=np.float64)
        gained = np.diff(hits[:, last], axis=1, prepend=0)
        precision = np.divide(hits[:, last], taken[:, last], out=np.zeros(gained.shape), where=taken[:, last] > 0)
        positives, films = gained.sum(axis=1), weights.sum(axis=1, dtype=np.float64)
        found[rows] = _divided((gained * precision).sum(axis=1), np.where(positives < films, positives, 0))
    return found


def _divided(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
