"""The report stage: text for a shard, written, gated and stored before any of its films is drawn."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import Any

from models import registry
from models.contracts import Gate, ImageGenerator, ProgressCallback, ReportGenerator
from storage.ledger import load_reports, publish_reports
from storage.objects import ObjectStore
from storage.records import ReportEntry
from storage.stage_documents import (
    find_report_entry,
    numbers_committed,
    numbers_reported,
    put_model_card,
    put_report_entry,
)
from tasks.engine.stage import Resources
from tasks.generate.decide import open_gates
from tasks.generate.generation import Generation
from tasks.generate.reports import STAGE, ReportBatch, ReportOptions, write_reports
from tasks.generate.resources import resources_of


class ReportStage:
    """Writes the reports of shards (protocol `tasks.engine.stage.Stage`). Models load once and stay warm.

    It needs the report generator and the tokenizer of the image generator, but none of the latter's weights.
    """

    name = STAGE

    def __init__(self, generation: Generation) -> None:
        self.generation = generation

    def __reduce__(self) -> tuple[type[ReportStage], tuple[Generation]]:
        return ReportStage, (self.generation,)

    @property
    def resources(self) -> Resources:
        """One tensor-parallel group of GPUs for an engine of our own; none for a server or for templates."""
        recipe = self.generation.recipe
        generator = recipe.reports.generator
        gpus = float(generator.options.get("tensor_parallel_size", 1)) if generator.kind == "vllm" else 0.0
        return resources_of(recipe.workers.reports, gpus)

    @cached_property
    def report_generator(self) -> ReportGenerator:
        """The report generator, loaded on first use."""
        spec = self.generation.recipe.reports.generator
        return registry.build(registry.REPORT_GENERATORS, spec.kind, spec.options)

    @cached_property
    def image_generator(self) -> ImageGenerator:
        """The image generator, of which only the tokenizer is used here."""
        spec = self.generation.recipe.images.generator
        return registry.build(registry.IMAGE_GENERATORS, spec.kind, spec.options)

    @cached_property
    def gates(self) -> list[tuple[Gate, float]]:
        """Text gates with their thresholds."""
        return open_gates(self.generation.recipe.report_gates, self.generation.bank)

    def card(self) -> dict[str, Any]:
        """The model card of the report generator."""
        return asdict(self.report_generator.card)

    def missing(self, store: ObjectStore) -> list[int]:
        """The shards, as far as the store decides them, whose reports are not done."""
        committed = numbers_committed(store, self.generation.ref)
        done = committed | numbers_reported(store, self.generation.ref)
        return [shard for shard in self.generation.shards(committed) if shard not in done]

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        """Write the reports of a shard, or go on with those that an earlier attempt stored.

        Raises:
            RequestsRefused: the engine takes no request.
            ReportsLost: the engine failed too many samples; nothing of the shard is stored.
        """
        store, ref = self.generation.store, self.generation.ref
        if find_report_entry(store, ref, shard) is not None:
            return
        seconds: dict[str, float] = {}
        counts: dict[str, int] = {}
        stored = load_reports(store, ref, shard)
        if stored is None:
            batch = self._write(shard, on_progress)
            put_model_card(store, ref, self.name, self.card())
            stored = publish_reports(store, ref, shard, batch.rows, batch.rejects)
            seconds["reports"] = batch.stats["seconds"]
            counts = {f"reports.{name}": int(value) for name, value in batch.stats.items() if name != "seconds"}
        rows, rejects = stored
        counts = self.generation.counts(shard, len(rows) + len(rejects)) | counts
        entry = ReportEntry(shard=shard, accepted=len(rows), rejected=len(rejects), seconds=seconds, counts=counts)
        put_report_entry(store, ref, entry)

    def _write(self, shard: int, on_progress: ProgressCallback | None) -> ReportBatch:
        generation, section = self.generation, self.generation.recipe.reports
        specs = generation.specs(shard)
        options = ReportOptions(
            attempts=section.attempts,
            seed_of=lambda sample, attempt: generation.seed(sample, STAGE, attempt),
            count_tokens=self.image_generator.count_tokens,
            token_limit=self.image_generator.token_limit,
            summarise_again=section.summarise_again,
            error_budget=section.error_budget,
            stop_at_refusal=len(specs) > 1 and not generation.is_top_up(shard),
        )
        on_done = None if on_progress is None else lambda done, total: on_progress(STAGE, done, total)
        return write_reports(specs, self.report_generator, self.gates, options, on_done)
