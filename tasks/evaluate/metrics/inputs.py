"""What every metric asks of its scores and labels."""

from __future__ import annotations

from typing import Any

import numpy as np


def checked(scores: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n,) as float64 and labels (n,) as bool; scores are taken as they are, no sigmoid is applied.

    Raises:
        ValueError: shapes differ, a score is not finite, or a label neither 0 nor 1.
    """
    values, truth = np.asarray(scores, np.float64), np.asarray(labels)
    if values.ndim != 1 or values.shape != truth.shape:
        raise ValueError(f"scores are of shape {values.shape}, labels of {truth.shape}: both must be (films,)")
    if (odd := ~np.isin(truth, (0, 1))).any():
        first = int(np.flatnonzero(odd)[0])
        raise ValueError(f"{int(odd.sum())} of {len(truth)} labels are neither 0 nor 1, the first is {truth[first]}")
    if (odd := ~np.isfinite(values)).any():
        raise ValueError(f"{int(odd.sum())} of {len(values)} scores are not finite")
    return values, truth.astype(bool)
