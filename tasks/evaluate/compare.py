"""Compare arms on the same resamples of the same films."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.bootstrap import interval
from tasks.evaluate.scores import Difference


def compare(
    pairs: Iterable[tuple[str, str]], macros: Mapping[str, Mapping[int, np.ndarray]], confidence: float
) -> list[Difference]:
    """Differences of macro scores with paired intervals.

    Args:
        pairs: arm and baseline of each comparison.
        macros: by arm and seed the macro score on all films, then in each resample, in the same order of resamples.
        confidence: of the interval.
    """
    return [_difference(arm, baseline, macros, confidence) for arm, baseline in pairs]


def _difference(
    arm: str, baseline: str, macros: Mapping[str, Mapping[int, np.ndarray]], confidence: float
) -> Difference:
    seeds = [seed for seed in macros[arm] if seed in macros[baseline]]
    if not seeds:
        raise CannotScore(f"arms {arm!r} and {baseline!r} have no training seed in common")
    by_seed = {seed: macros[arm][seed] - macros[baseline][seed] for seed in seeds}
    mean = np.mean(list(by_seed.values()), axis=0)
    return Difference(
        arm=arm,
        baseline=baseline,
        difference=float(mean[0]),
        by_seed={seed: float(found[0]) for seed, found in by_seed.items()},
        **interval(mean[1:], confidence),
    )
