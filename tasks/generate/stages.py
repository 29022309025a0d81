"""The stages of generation in their order, and the models that made a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from storage.stage_documents import model_cards
from tasks.engine.stage import Stage
from tasks.generate.generation import Generation
from tasks.generate.image_stage import ImageStage
from tasks.generate.report_stage import ReportStage

STAGES: list[Callable[[Generation], Stage]] = [ReportStage, ImageStage]
"""What is done to every shard, in this order: a shard's films are drawn from its reports."""


@runtime_checkable
class RunsModel(Protocol):
    """A stage that runs a model, and keeps its card when it is first done."""

    def card(self) -> dict[str, Any]: ...


def stages_of(generation: Generation) -> tuple[Stage, ...]:
    """The stages of one version."""
    return tuple(make(generation) for make in STAGES)


def cards_of(generation: Generation) -> dict[str, dict[str, Any]]:
    """The model card of every stage that runs a model, as it was kept when the stage was first done.

    A version whose shards are all committed loads no model for it, unless a program made it that kept no cards.
    """
    kept = model_cards(generation.store, generation.ref)
    running = (stage for stage in stages_of(generation) if isinstance(stage, RunsModel))
    return {stage.name: kept.get(stage.name) or stage.card() for stage in running}
