"""Compare arms on the same resamples of the same films."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.resampled import ByUnit, mean_figure
from tasks.evaluate.scores import Difference

Macros = Mapping[str, Mapping[int, ByUnit]]
"""By arm and seed, the macro score on all films and in each resample, resamples in the same order for all."""


def compare(pairs: Iterable[tuple[str, str]], macros: Macros, confidence: float) -> list[Difference]:
    """Differences of macro scores with paired intervals, over the seeds that both arms have.

    Args:
        pairs: arm and baseline of each comparison.
        macros: of the arms.
        confidence: of the interval.

    Raises:
        CannotScore: two arms have no seed in common.
    """
    return [_difference(arm, baseline, macros, confidence) for arm, baseline in pairs]


def _difference(arm: str, baseline: str, macros: Macros, confidence: float) -> Difference:
    seeds = [seed for seed in macros[arm] if seed in macros[baseline]]
    if not seeds:
        raise CannotScore(f"arms {arm!r} and {baseline!r} have no training seed in common")
    by_seed = {
        seed: {unit: found - macros[baseline][seed][unit] for unit, found in macros[arm][seed].items()}
        for seed in seeds
    }
    mean = mean_figure(list(by_seed.values()), confidence)
    return Difference(
        arm=arm,
        baseline=baseline,
        difference=mean.value,
        by_seed={seed: float(found["film"][0]) for seed, found in by_seed.items()},
        **mean.model_dump(exclude={"value"}),
    )
