"""Whether a cluster holds the workers that are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tasks.engine.stage import Resources, Stage

Amounts = Mapping[str, float]
"""Of resources by Ray's names for them: CPU, GPU, memory in bytes, and those that a cluster's machines add."""
_ENOUGH = 1e-9


class NoRoom(RuntimeError):
    """The cluster cannot hold the workers of a stage; the message states what they need and how many it holds."""


def fit_to(resources: Resources, nodes: Sequence[Amounts]) -> Resources:
    """What a worker reserves: on a cluster without a GPU it runs on the CPU, where it may."""
    with_gpus = any(node.get("GPU") for node in nodes)
    return resources if with_gpus or not resources.or_cpu else replace(resources, gpus=0)


def amounts(resources: Resources) -> dict[str, float]:
    """What one worker holds, by Ray's names."""
    asked = {"GPU": resources.gpus, "CPU": resources.cpus, "memory": float(resources.memory or 0)}
    return {name: amount for name, amount in asked.items() if amount} | ({resources.node: 1} if resources.node else {})


def place(stages: Sequence[Stage], nodes: Sequence[Amounts]) -> bool:
    """Whether the least workers of all stages find a place at the same time; else stages have to take turns.

    Args:
        stages: in their order.
        nodes: what each machine of the cluster has; a worker's share must all be of one machine.

    Raises:
        NoRoom: the least workers of one stage find no place, even alone; Ray would wait without end.
    """
    needs = [fit_to(stage.resources, nodes) for stage in stages]
    for stage, need in zip(stages, needs, strict=True):
        held = sum(_workers_on(node, amounts(need), need.least) for node in nodes)
        if held < need.least:
            raise NoRoom(_refusal(stage.name, need, held))
    return _fit_together(needs, nodes)


def _refusal(stage: str, need: Resources, held: int) -> str:
    each = ", ".join(f"{amount:g} {name}" for name, amount in amounts(need).items())
    remedy = f"set workers.{stage}.least to {held}" if held else f"lower what workers.{stage} asks for"
    if need.node:
        remedy += f", or start Ray on such a machine with --resources='{{\"{need.node}\": {need.least}}}'"
    return (
        f"workers.{stage}.least is {need.least}, but the cluster holds at most {held} workers of {each} each, "
        f"all of one machine: {remedy}, or add machines"
    )


def _workers_on(node: Amounts, each: Amounts, most: int) -> int:
    """How many workers a machine holds, up to `most`."""
    return min([most, *(int((node.get(name, 0) + _ENOUGH) / amount) for name, amount in each.items())])


def _fit_together(needs: Sequence[Resources], nodes: Sequence[Amounts]) -> bool:
    """Give every worker the first machine that holds it, the largest workers first."""
    left = [dict(node) for node in nodes]
    workers = [amounts(need) for need in needs for _ in range(need.least)]
    for each in sorted(workers, key=lambda one: (one.get("GPU", 0), one.get("CPU", 0)), reverse=True):
        node = next((node for node in left if _workers_on(node, each, 1)), None)
        if node is None:
            return False
        for name, amount in each.items():
            node[name] -= amount
    return True
