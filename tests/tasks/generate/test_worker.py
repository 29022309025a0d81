"""One shard is made exactly once, and a resumed one does not repeat what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.contracts import ImageRequest, ReportDraft, ReportRequest, RequestsRefused
from models.phantom.renderer import RendererImageGenerator
from models.phantom.template import TemplateReportGenerator
from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.local import LocalStore
from storage.records import PairRow
from storage.tables import from_parquet
from tasks.engine.pool import InlineEngine, Job, open_engine
from tasks.generate.worker import ShardWorker
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import load_recipe
from tasks.recipe.schema import Recipe

PROFILE = str(Path(__file__).parents[2] / "profiles" / "fast.yaml")
REF = DatasetRef("fast-cxr", "v1")


class CountingReports(TemplateReportGenerator):
    """The template generator, counting what is asked of it."""

    asked = 0

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        self.asked += len(requests)
        return super().generate(requests)


class DyingImages(RendererImageGenerator):
    """The renderer, dying after its first batch: the edge at which a fault is put in."""

    calls = 0

    def generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        self.calls += 1
        if self.calls > 1:
            raise RuntimeError("the GPU fell off the bus")
        return super().generate(requests)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    return load_recipe(PROFILE, [f"storage.root={tmp_path / 'store'}", "images.batch=4"], Path())


@pytest.fixture
def worker(recipe: Recipe, tmp_path: Path) -> ShardWorker:
    return ShardWorker(recipe, fingerprint(recipe), LocalStore(tmp_path / "store"), REF)


def test_a_shard_accounts_for_every_planned_sample(worker: ShardWorker) -> None:
    entry = worker.run(0)
    assert entry.accepted + entry.rejected == 8 == entry.counts["planned"]
    assert entry.accepted >= 7
    assert set(entry.seconds) == {"reports", "images"}


def test_a_committed_shard_is_not_made_again(worker: ShardWorker) -> None:
    first = worker.run(0)
    worker.__dict__["reporter"] = worker.__dict__["painter"] = None  # any use of a model would fail now
    assert worker.run(0) == first


def test_a_worker_that_died_between_reports_and_images_leaves_its_reports_to_the_next(
    worker: ShardWorker, recipe: Recipe, tmp_path: Path
) -> None:
    worker.__dict__["painter"] = DyingImages()
    with pytest.raises(RuntimeError, match="fell off the bus"):
        worker.run(0)
    store = LocalStore(tmp_path / "store")
    assert committed_shards(store, REF) == {}
    heir = ShardWorker(recipe, fingerprint(recipe), store, REF)
    reports = CountingReports()
    heir.__dict__["reporter"] = reports
    entry = heir.run(0)
    assert reports.asked == 0
    assert entry.accepted + entry.rejected == 8


class Refusing(CountingReports):
    """The template writer on an engine whose context holds no prompt."""

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        drafts = super().generate(requests)
        return [
            replace(draft, findings="", error=f"{draft.seed} tokens are too many", refused=True) for draft in drafts
        ]


def test_a_shard_of_which_the_engine_takes_nothing_leaves_nothing_in_the_store(
    worker: ShardWorker, tmp_path: Path
) -> None:
    worker.__dict__["reporter"] = reports = Refusing()
    with pytest.raises(RequestsRefused, match="took none of the 8 requests"):
        worker.run(0)
    assert reports.asked == 8, "one attempt, and no other shard's"
    assert list(LocalStore(tmp_path / "store").list("")) == []


def test_the_same_recipe_makes_the_same_bytes_whatever_the_batch_and_order(recipe: Recipe, tmp_path: Path) -> None:
    stores = [LocalStore(tmp_path / name) for name in ("one", "two")]
    other = recipe.model_copy(update={"images": recipe.images.model_copy(update={"batch": 1})})
    assert fingerprint(other) == fingerprint(recipe)
    for store, version, order in zip(stores, (recipe, other), ((0, 1, 2), (2, 0, 1)), strict=True):
        worker = ShardWorker(version, fingerprint(version), store, REF)
        for shard in order:
            worker.run(shard)
    for shard in range(3):
        assert stores[0].get(REF.pairs(shard)) == stores[1].get(REF.pairs(shard))


def test_what_no_gate_knows_passes_by_name_and_is_never_scored_as_if_it_were_judged(tmp_path: Path) -> None:
    bank = tmp_path / "bank.csv"
    bank.write_text("type,term\n" + "".join(f"disease,{term}\n" for term in ("sarcoidosis", "silicosis", "gout")))
    foreign = {"plan.bank": f"{bank}", "plan.constraints": "generic", "plan.per_report": "{disease: 1}"}
    gates = {
        "report_gates": "[{kind: no_extra_finding, threshold: 1.0, allow_unjudged: ['*']}]",
        "image_gates": "[{kind: agreement, threshold: 0.5, allow_unjudged: [sarcoidosis, disease/silicosis]}]",
    }
    mined = load_recipe(PROFILE, [f"{key}={value}" for key, value in {**foreign, **gates}.items()], Path())
    store = LocalStore(tmp_path / "mined")
    worker = ShardWorker(mined, fingerprint(mined), store, REF)
    entry = worker.run(0)
    found = {row.entities[0].partition("/")[2]: row.gates for row in from_parquet(store.get(REF.index(0)), PairRow)}
    assert set(found) == {"sarcoidosis", "silicosis"}, "gout is not allowed"
    assert 0 < entry.rejected < 8
    for text, film in found.values():
        assert (text.score, text.not_judged) == (1.0, 1)
        assert (film.score, film.not_judged, film.passed) == (None, 1, True)


def test_the_recipe_names_the_engine(recipe: Recipe, tmp_path: Path) -> None:
    job = Job(recipe, fingerprint(recipe), REF, LocalStore(tmp_path / "store"))
    engine = open_engine(job)
    assert isinstance(engine, InlineEngine)
    assert engine.cards()["reports"]["kind"] == "template"
    engine.close()
