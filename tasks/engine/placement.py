"""How many workers each stage gets on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tasks.engine.stage import Resources, Stage


class NoRoom(RuntimeError):
    """The cluster cannot hold one worker of a stage; the message says what it needs and what there is."""


def fit_to(resources: Resources, gpus: float) -> Resources:
    """What a worker asks for on a cluster with so many GPUs: where there are none, it runs on the CPU."""
    return resources if gpus else replace(resources, gpus=0)


def place(stages: Sequence[Stage], gpus: float, cpus: float) -> tuple[list[int], bool]:
    """How many workers each stage gets, and whether all stages' workers can live at the same time.

    Every stage gets one worker, or as many as it says. What GPUs are left go to whichever stage that may have more
    holds the fewest. Stages that cannot live side by side get what the cluster holds of each alone.

    Args:
        stages: in their order.
        gpus, cpus: of the whole cluster.

    Raises:
        NoRoom: the cluster cannot hold what one stage says.
    """
    needs = [fit_to(stage.resources, gpus) for stage in stages]
    workers = [need.workers or 1 for need in needs]
    for stage, need, count in zip(stages, needs, workers, strict=True):
        if need.gpus * count > gpus or need.cpus * count > cpus:
            raise NoRoom(
                f"{count} workers of the stage {stage.name} need {need.gpus * count:g} GPUs and "
                f"{need.cpus * count:g} CPUs, but the cluster has {gpus:g} and {cpus:g}: add machines, or lower "
                f"{stage.name}.resources"
            )
    if _held(needs, workers, "gpus") > gpus or _held(needs, workers, "cpus") > cpus:
        return [_grown([need], [count], gpus, cpus)[0] for need, count in zip(needs, workers, strict=True)], False
    return _grown(needs, workers, gpus, cpus), True


def _grown(needs: Sequence[Resources], workers: Sequence[int], gpus: float, cpus: float) -> list[int]:
    """More workers, as long as GPUs and CPUs are left for them."""
    counts = list(workers)
    may_grow = [number for number, need in enumerate(needs) if need.gpus and need.workers is None]
    while may_grow:
        number = min(may_grow, key=lambda n: needs[n].gpus * counts[n])
        more = [count + (n == number) for n, count in enumerate(counts)]
        if _held(needs, more, "gpus") > gpus or _held(needs, more, "cpus") > cpus:
            may_grow.remove(number)
        else:
            counts = more
    return counts


def _held(needs: Sequence[Resources], workers: Sequence[int], what: str) -> float:
    return sum(getattr(need, what) * count for need, count in zip(needs, workers, strict=True))
