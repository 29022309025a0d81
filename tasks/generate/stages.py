"""The stages of generation in their order, and the models that made a version."""

from __future__ import annotations

from typing import Any

from storage.stage_documents import model_cards
from tasks.generate.generation import Generation
from tasks.generate.image_stage import ImageStage
from tasks.generate.report_stage import ReportStage


def stages_of(generation: Generation) -> tuple[ReportStage, ImageStage]:
    """Reports, then images: a shard's films are drawn from what its reports say."""
    return ReportStage(generation), ImageStage(generation)


def cards_of(generation: Generation) -> dict[str, dict[str, Any]]:
    """The model card of every stage, as it was kept when the stage was first done.

    A version whose shards are all committed loads no model for it, unless a program made it that kept no cards.
    """
    kept = model_cards(generation.store, generation.ref)
    return {stage.name: kept.get(stage.name) or stage.card() for stage in stages_of(generation)}
