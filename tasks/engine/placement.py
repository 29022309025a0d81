"""How many workers each stage gets on a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tasks.engine.stage import Resources, Stage

Amounts = Mapping[str, float]
"""Of resources by Ray's names for them: CPU, GPU, memory in bytes, and those that a cluster's machines add."""


class NoRoom(RuntimeError):
    """The cluster cannot hold the workers of a stage; the message states what they need and what there is."""


def fit_to(resources: Resources, held: Amounts) -> Resources:
    """What a worker reserves on a cluster: where that has no GPU, it runs on the CPU."""
    return resources if held.get("GPU") else replace(resources, gpus=0)


def amounts(resources: Resources) -> dict[str, float]:
    """What one worker holds, by Ray's names."""
    asked = {"GPU": resources.gpus, "CPU": resources.cpus, "memory": float(resources.memory or 0)}
    return {name: amount for name, amount in asked.items() if amount} | ({resources.node: 1} if resources.node else {})


def place(stages: Sequence[Stage], held: Amounts) -> tuple[list[int], bool]:
    """How many workers each stage gets, and whether all stages' workers can live at the same time.

    Every stage gets one worker, or as many as it sets. What GPUs are left go to whichever stage that may have more
    holds the fewest. Stages that cannot live side by side get what the cluster holds of each alone.

    Args:
        stages: in their order.
        held: what the whole cluster has.

    Raises:
        NoRoom: the cluster cannot hold the workers of a stage; Ray would wait without end.
    """
    needs = [fit_to(stage.resources, held) for stage in stages]
    workers = [need.workers or 1 for need in needs]
    for stage, need, count in zip(stages, needs, workers, strict=True):
        _check(stage.name, need, count, held)
    if not _fits(needs, workers, held):
        return [_grown([need], [count], held)[0] for need, count in zip(needs, workers, strict=True)], False
    return _grown(needs, workers, held), True


def _check(stage: str, need: Resources, count: int, held: Amounts) -> None:
    for name, amount in amounts(need).items():
        if amount * count > held.get(name, 0):
            remedy = f"add machines, or lower {stage}.resources"
            if name == need.node:
                remedy = f"start Ray on such a machine with --resources='{{\"{name}\": {count}}}'"
            raise NoRoom(
                f"{count} workers of the stage {stage} need {amount * count:g} {name}, but the cluster has "
                f"{held.get(name, 0):g}: {remedy}"
            )


def _grown(needs: Sequence[Resources], workers: Sequence[int], held: Amounts) -> list[int]:
    """More workers, as long as there is room for them."""
    counts = list(workers)
    may_grow = [number for number, need in enumerate(needs) if need.gpus and need.workers is None]
    while may_grow:
        number = min(may_grow, key=lambda n: needs[n].gpus * counts[n])
        more = [count + (n == number) for n, count in enumerate(counts)]
        if _fits(needs, more, held):
            counts = more
        else:
            may_grow.remove(number)
    return counts


def _fits(needs: Sequence[Resources], workers: Sequence[int], held: Amounts) -> bool:
    names = {name for need in needs for name in amounts(need)}
    total = {
        name: sum(amounts(need).get(name, 0) * count for need, count in zip(needs, workers, strict=True))
        for name in names
    }
    return all(amount <= held.get(name, 0) for name, amount in total.items())
