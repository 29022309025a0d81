"""One shard from plan to commit: reports, images, gates, publish. Models load once and stay warm."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

from models import registry
from models.contracts import Gate, ImageGenerator, ReportGenerator
from storage.layout import DatasetRef
from storage.ledger import commit_shard, committed_shard, load_reports, publish_reports
from storage.objects import ObjectStore
from storage.records import RejectRow, ReportRow, ShardEntry
from storage.shards import sample_of
from tasks.generate.decide import open_gates
from tasks.generate.images import ImageBatch, draw_images
from tasks.generate.reports import write_reports
from tasks.generate.rounds import Rounds
from tasks.plan.plan import make_plan
from tasks.plan.seeds import seed_for
from tasks.plan.spec import LEFT_OUT, SampleSpec
from tasks.recipe.schema import Recipe

OnProgress = Callable[[str, int, int], None]


class ShardWorker:
    """Runs shards of one dataset version, each exactly once.

    Args:
        recipe: the whole recipe.
        fingerprint: its fingerprint, from which every seed follows.
        store: the object store.
        ref: the dataset version to publish into.
    """

    def __init__(self, recipe: Recipe, fingerprint: str, store: ObjectStore, ref: DatasetRef) -> None:
        self.recipe, self.fingerprint, self.store, self.ref = recipe, fingerprint, store, ref
        self.plan = make_plan(recipe, fingerprint)
        self.rounds = Rounds(self.plan, store, ref)

    @cached_property
    def reporter(self) -> ReportGenerator:
        """The report generator, loaded on first use."""
        spec = self.recipe.reports.generator
        return registry.build(registry.REPORT_GENERATORS, spec.kind, spec.options)

    @cached_property
    def painter(self) -> ImageGenerator:
        """The image generator, loaded on first use."""
        spec = self.recipe.images.generator
        return registry.build(registry.IMAGE_GENERATORS, spec.kind, spec.options)

    @cached_property
    def report_gates(self) -> list[tuple[Gate, float]]:
        """Text gates with their thresholds."""
        return open_gates(self.recipe.report_gates)

    @cached_property
    def image_gates(self) -> list[tuple[Gate, float]]:
        """Image gates with their thresholds."""
        return open_gates(self.recipe.image_gates)

    def run(self, shard: int, on_progress: OnProgress | None = None) -> ShardEntry:
        """Make shard number `shard`, or return the entry of the one that is committed already."""
        done = committed_shard(self.store, self.ref, shard)
        if done is not None:
            return done
        seconds: dict[str, float] = {}
        specs = self.plan.shard(shard) if shard in self.plan.base_shards else self.rounds.specs(shard)
        counts: dict[str, int] = {"planned": len(specs)}
        if shard in self.plan.base_shards and (left := self.plan.left_out(*self.plan.bounds(shard))):
            counts[LEFT_OUT] = left
        rows, rejects = self._reports(shard, specs, seconds, counts, on_progress)
        images = self._images(rows, seconds, counts, on_progress)
        return commit_shard(
            self.store,
            self.ref,
            shard,
            pairs=[sample_of(row, png) for row, png in images.samples],
            rejects=[*rejects, *images.rejects],
            seconds=seconds,
            counts=counts,
        )

    def _reports(
        self,
        shard: int,
        specs: list[SampleSpec],
        seconds: dict[str, float],
        counts: dict[str, int],
        on_progress: OnProgress | None,
    ) -> tuple[list[ReportRow], list[RejectRow]]:
        stored = load_reports(self.store, self.ref, shard)
        if stored is not None:
            return stored
        limit = self.painter.token_limit
        reporter, started = self.reporter, time.perf_counter()
        batch = write_reports(
            specs,
            reporter,
            self.report_gates,
            attempts=self.recipe.reports.attempts,
            error_budget=self.recipe.reports.error_budget,
            seed_of=lambda sample, attempt: seed_for(self.fingerprint, sample, "reports", attempt),
            count_tokens=self.painter.count_tokens,
            token_limit=limit,
            summarise_again=self.recipe.reports.summarise_again,
            stop_at_refusal=len(specs) > 1 and shard in self.plan.base_shards,
            on_progress=_stage(on_progress, "reports"),
        )
        seconds["reports"] = time.perf_counter() - started
        counts.update({f"reports.{k}": int(v) for k, v in batch.stats.items() if k != "seconds"})
        return publish_reports(self.store, self.ref, shard, batch.rows, batch.rejects)

    def _images(
        self, rows: list[ReportRow], seconds: dict[str, float], counts: dict[str, int], on_progress: OnProgress | None
    ) -> ImageBatch:
        painter, started = self.painter, time.perf_counter()
        batch = draw_images(
            rows,
            painter,
            self.image_gates,
            attempts=self.recipe.images.attempts,
            batch=self.recipe.images.batch,
            seed_of=lambda sample, attempt: seed_for(self.fingerprint, sample, "images", attempt),
            on_progress=_stage(on_progress, "images"),
            provenance={"fingerprint": self.fingerprint},
            prompt_axes=self.recipe.images.prompt_axes,
        )
        seconds["images"] = time.perf_counter() - started
        counts.update({f"images.{k}": int(v) for k, v in batch.stats.items() if k != "seconds"})
        return batch

    def cards(self) -> dict[str, dict[str, Any]]:
        """Model cards of the two generators, for the manifest."""
        from dataclasses import asdict

        return {"reports": asdict(self.reporter.card), "images": asdict(self.painter.card)}


def _stage(on_progress: OnProgress | None, stage: str) -> Callable[[int, int], None] | None:
    return None if on_progress is None else lambda done, total: on_progress(stage, done, total)
