"""Means over findings: a finding of which only one class is there is left out, by name, before any mean is taken."""

from __future__ import annotations

import numpy as np


def with_both_classes(values: np.ndarray, known: np.ndarray) -> tuple[int, ...]:
    """The columns that can be scored: among the films whose label is known some are 1 and some are 0.

    Args:
        values: (films, findings) of 0 and 1.
        known: (films, findings) of bool.
    """
    positives, films = (values * known).sum(axis=0), known.sum(axis=0)
    return tuple(int(at) for at in np.flatnonzero((positives > 0) & (positives < films)))


def macro_mean(table: np.ndarray) -> np.ndarray:
    """Mean over the findings in each resample, (findings, resamples) to (resamples,).

    A resample may lack one class of a finding that all films together have; the mean is then over the other findings,
    and NaN where there is none.
    """
    there = ~np.isnan(table)
    scored = there.sum(axis=0)
    total = np.where(there, table, 0.0).sum(axis=0)
    return np.divide(total, scored, out=np.full(table.shape[1:], np.nan), where=scored > 0)
