"""The resources of a stage's workers, from the recipe."""

from __future__ import annotations

from tasks.engine.stage import Resources
from tasks.recipe.workers import WorkerSection

GIB = 1 << 30


def resources_of(section: WorkerSection, gpus: float) -> Resources:
    """The resources of a stage.

    Args:
        section: the recipe's section.
        gpus: what the generator takes where the section gives none; on a cluster without GPUs it does without.
    """
    return Resources(
        gpus=gpus if section.gpus is None else section.gpus,
        or_cpu=section.gpus is None,
        cpus=section.cpus,
        memory=None if section.memory is None else int(section.memory * GIB),
        least=section.least,
        most=section.most,
        node=section.node,
        runtime_env=section.environment(),
    )
