"""Compute AUROC on many resamples of the same films at once."""

from __future__ import annotations

import numpy as np


def draw_counts(films: int, resamples: int, seed: int) -> np.ndarray:
    """How often each resample holds each film: (resamples, films) float32, every row sums to `films`.

    One draw serves every arm, so that differences between arms are paired.
    """
    rng = np.random.default_rng(seed)
    return rng.multinomial(films, np.full(films, 1 / films), size=resamples).astype(np.float32)


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve, ties counted half; NaN where only one class is present."""
    return float(resampled_auroc(scores, labels, np.ones((1, len(scores)), np.float32))[0])


def resampled_auroc(scores: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """AUROC in each resample: scores (n,), labels (n,) of 0 and 1, counts (r, n) to (r,).

    The films are sorted once; a positive beats the negatives whose cumulated weight lies below it, and half of
    those level with it. A resample with one class only gives NaN.

    Raises:
        ValueError: a score is not finite, or a label neither 0 nor 1.
    """
    if (odd := ~np.isin(labels, (0, 1))).any():
        first = int(np.flatnonzero(odd)[0])
        raise ValueError(f"{int(odd.sum())} of {len(labels)} labels are neither 0 nor 1, the first is {labels[first]}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite")
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    positive = labels[order].astype(bool)
    below = np.zeros((len(counts), len(scores) + 1))
    np.cumsum(counts[:, order] * ~positive, axis=1, dtype=np.float64, out=below[:, 1:])
    at = np.flatnonzero(positive)
    first = np.searchsorted(ranked, ranked[at], side="left")
    last = np.searchsorted(ranked, ranked[at], side="right")
    weight = counts[:, order[at]].astype(np.float64)
    wins = (weight * (below[:, first] + below[:, last])).sum(axis=1) / 2
    pairs = weight.sum(axis=1) * below[:, -1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, wins / pairs, np.nan)
