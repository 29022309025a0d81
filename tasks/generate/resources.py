"""The resources of a stage's worker, from the recipe."""

from __future__ import annotations

from tasks.engine.stage import Resources
from tasks.recipe.schema import ResourcesSection

GIB = 1 << 30


def resources_of(section: ResourcesSection, gpus: float, variables: tuple[str, ...] = ()) -> Resources:
    """The resources of a stage.

    Args:
        section: the recipe's section.
        gpus: what the generator takes where the section gives none.
        variables: environment variables that its worker needs.
    """
    return Resources(
        gpus=gpus if section.gpus is None else section.gpus,
        cpus=section.cpus,
        memory=None if section.memory_gib is None else int(section.memory_gib * GIB),
        workers=section.workers,
        variables=variables,
        python=section.python,
        node=section.node,
    )
