"""Compare arms on the same resamples: what synthetic and mixed gain over real, and over their own controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.scores import Difference, Scores

BASELINE = "real"
SHUFFLED = "shuffled_"


def comparisons(arms: Sequence[str]) -> list[tuple[str, str]]:
    """Which arms are compared: each with ``real``, with its shuffled control and with ``random``."""
    pairs = []
    for arm in arms:
        if arm.startswith(SHUFFLED) or arm == "random":
            continue
        others = (BASELINE, SHUFFLED + arm, "random")
        pairs.extend((arm, other) for other in others if other in arms and other != arm)
    return pairs


def compare(scores: Sequence[Scores], macros: Mapping[str, np.ndarray], confidence: float) -> list[Difference]:
    """Differences of macro AUROC with paired intervals.

    Args:
        scores: one per arm.
        macros: macro AUROC of each arm in each resample, in the same order of resamples.
        confidence: of the interval.
    """
    macro = {item.arm: item.macro for item in scores}
    return [
        Difference(
            arm=arm,
            baseline=other,
            difference=macro[arm] - macro[other],
            **interval(macros[arm] - macros[other], confidence),
        )
        for arm, other in comparisons(list(macro))
    ]


def interval(resamples: np.ndarray, confidence: float) -> dict[str, float]:
    """Percentile interval over the resamples that are numbers.

    Raises:
        CannotScore: none is.
    """
    if np.isnan(resamples).all():
        raise CannotScore("no resample of the films holds both classes of a finding: take more films or resamples")
    tail = 100 * (1 - confidence) / 2
    low, high = np.nanpercentile(resamples, [tail, 100 - tail])
    return {"low": float(low), "high": float(high)}
