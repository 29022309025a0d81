"""The image stage: films for the reports of a shard, drawn, gated and committed with all that is known of them."""

from __future__ import annotations

from dataclasses import asdict
from functools import cached_property
from typing import Any

from models import registry
from models.contracts import Gate, ImageGenerator, ProgressCallback
from storage.errors import ObjectMissing
from storage.ledger import ShardContents, commit_shard, committed_shard, load_reports
from storage.objects import ObjectStore
from storage.records import ReportRow
from storage.shards import sample_of
from storage.stage_documents import find_report_entry, numbers_committed, put_model_card
from tasks.engine.stage import Resources
from tasks.generate.decide import open_gates
from tasks.generate.generation import Generation
from tasks.generate.images import STAGE, ImageBatch, ImageOptions, draw_images
from tasks.generate.resources import resources_of


class ImageStage:
    """Draws the films of shards whose reports are stored (protocol `tasks.engine.stage.Stage`).

    Models load once and stay warm. Nothing of the report generator is needed, not even installed.
    """

    name = STAGE

    def __init__(self, generation: Generation) -> None:
        self.generation = generation

    def __reduce__(self) -> tuple[type[ImageStage], tuple[Generation]]:
        return ImageStage, (self.generation,)

    @property
    def resources(self) -> Resources:
        """One GPU for a pipeline; none for the renderer."""
        recipe = self.generation.recipe
        return resources_of(recipe.workers.images, 1.0 if recipe.images.generator.kind == "diffusers" else 0.0)

    @cached_property
    def image_generator(self) -> ImageGenerator:
        """The image generator, loaded on first use."""
        spec = self.generation.recipe.images.generator
        return registry.build(registry.IMAGE_GENERATORS, spec.kind, spec.options)

    @cached_property
    def gates(self) -> list[tuple[Gate, float]]:
        """Image gates with their thresholds."""
        return open_gates(self.generation.recipe.image_gates, self.generation.bank)

    def card(self) -> dict[str, Any]:
        """The model card of the image generator."""
        return asdict(self.image_generator.card)

    def missing(self, store: ObjectStore) -> list[int]:
        """The shards, as far as the store decides them, that are not committed."""
        committed = numbers_committed(store, self.generation.ref)
        return [shard for shard in self.generation.shards(committed) if shard not in committed]

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        """Draw the films of a shard and commit it; one that is committed is left alone.

        Raises:
            ObjectMissing: its reports are not stored.
            RequestsRefused: the image generator fails whatever it is asked.
        """
        store, ref = self.generation.store, self.generation.ref
        if committed_shard(store, ref, shard) is not None:
            return
        stored = load_reports(store, ref, shard)
        if stored is None:
            raise ObjectMissing(f"{store.uri(ref.reports(shard))}: the reports of shard {shard} are not written yet")
        rows, rejects = stored
        entry = find_report_entry(store, ref, shard)
        batch = self._draw(rows, on_progress)
        put_model_card(store, ref, self.name, self.card())
        counts = {f"images.{name}": int(value) for name, value in batch.stats.items() if name != "seconds"}
        before = entry.counts if entry else self.generation.counts(shard, len(rows) + len(rejects))
        commit_shard(
            store,
            ref,
            shard,
            ShardContents(
                [sample_of(row, png) for row, png in batch.samples],
                rejects=[*rejects, *batch.rejects],
                seconds={**(entry.seconds if entry else {}), "images": batch.stats["seconds"]},
                counts={**before, **counts},
            ),
        )

    def _draw(self, rows: list[ReportRow], on_progress: ProgressCallback | None) -> ImageBatch:
        generation, section = self.generation, self.generation.recipe.images
        options = ImageOptions(
            attempts=section.attempts,
            batch=section.batch,
            seed_of=lambda sample, attempt: generation.seed(sample, STAGE, attempt),
            provenance={"fingerprint": generation.fingerprint},
            prompt_axes=section.prompt_axes,
        )
        on_done = None if on_progress is None else lambda done, total: on_progress(STAGE, done, total)
        return draw_images(rows, self.image_generator, self.gates, options, on_done)
