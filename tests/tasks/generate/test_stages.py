"""Both stages over a store: a shard is made exactly once, and a resumed one does not repeat what is stored."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import registry
from models.contracts import ImageRequest, ReportDraft, ReportRequest, RequestsRefused
from models.phantom.renderer import RendererImageGenerator
from models.phantom.template import TemplateReportGenerator
from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef
from storage.ledger import committed_shards, load_reports
from storage.local import LocalStore
from storage.records import PairRow, ReportRow
from storage.stage_documents import find_report_entry, model_cards
from storage.tables import from_parquet
from tasks.engine.stage import Resources
from tasks.generate.generation import Generation
from tasks.generate.stages import cards_of
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.schema import Recipe
from tests.making import Making, fast_recipe

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
    return fast_recipe(f"storage.root={tmp_path / 'store'}", "images.batch=4")


@pytest.fixture
def making(recipe: Recipe, tmp_path: Path) -> Making:
    return Making(recipe, tmp_path / "store", REF)


def test_a_shard_accounts_for_every_planned_sample(making: Making) -> None:
    entry = making.run(0)
    assert entry.accepted + entry.rejected == 8 == entry.counts["planned"]
    assert entry.accepted >= 7
    assert set(entry.seconds) == {"reports", "images"}
    assert {"reports.drafts", "images.films"} <= set(entry.counts)


def test_each_stage_has_its_own_missing_shards(making: Making) -> None:
    store = making.store
    assert [list(stage.missing(store)) for stage in making.stages] == [[0, 1, 2], [0, 1, 2]]
    making.reports.run(1)
    assert [list(stage.missing(store)) for stage in making.stages] == [[0, 2], [0, 1, 2]]
    making.images.run(1)
    assert [list(stage.missing(store)) for stage in making.stages] == [[0, 2], [0, 2]]


def test_films_are_not_drawn_before_their_reports_are_written(making: Making) -> None:
    with pytest.raises(ObjectMissing, match="the reports of shard 2 are not written yet"):
        making.images.run(2)
    assert list(making.store.list("")) == []


def test_a_version_whose_shards_are_all_committed_loads_no_model(
    making: Making, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = making.run_all()

    def refuse(*asked: object) -> Any:
        pytest.fail(f"{asked} is loaded")

    monkeypatch.setattr(registry, "build", refuse)
    heir = Making(recipe, making.store, REF)
    assert [list(stage.missing(heir.store)) for stage in heir.stages] == [[], []]
    assert heir.run_all() == entries
    assert {stage: card["kind"] for stage, card in cards_of(heir.generation).items()} == {
        "images": "renderer",
        "reports": "template",
    }
    for stage in heir.stages:
        stage.run(0)
    assert heir.finish(entries).models["images"]["name"] == "phantom-a"


def test_a_version_of_an_older_program_says_what_its_models_are_by_loading_them(making: Making) -> None:
    making.run_all()
    for stage in making.stages:
        making.store.delete(REF.model_card(stage.name))
    assert model_cards(making.store, REF) == {}
    assert cards_of(making.generation)["reports"]["kind"] == "template"


def test_every_pair_says_which_models_made_it(making: Making) -> None:
    making.run(0)
    reports = from_parquet(making.store.get(REF.reports(0)), ReportRow)
    pairs = from_parquet(making.store.get(REF.index(0)), PairRow)
    (model,) = {row.model for row in reports}
    assert model.startswith("phantom-report@")
    assert {(row.report_model, row.image_model) for row in pairs} == {(model, "phantom-a@code")}


def test_a_worker_that_died_between_reports_and_images_leaves_its_reports_to_the_next(
    making: Making, recipe: Recipe
) -> None:
    making.images.__dict__["image_generator"] = DyingImages()
    with pytest.raises(RuntimeError, match="fell off the bus"):
        making.run(0)
    assert committed_shards(making.store, REF) == {}
    heir = Making(recipe, making.store, REF)
    heir.reports.__dict__["report_generator"] = reports = CountingReports()
    heir.reports.run(0)
    entry = heir.run(0)
    assert reports.asked == 0
    assert entry.accepted + entry.rejected == 8
    assert entry.seconds["reports"] > 0, "what the first worker took is not forgotten"


def test_reports_without_their_entry_are_kept_and_get_one(making: Making) -> None:
    making.reports.run(0)
    stored = load_reports(making.store, REF, 0)
    making.store.delete(REF.report_entry(0))
    assert 0 in making.reports.missing(making.store)
    making.reports.__dict__["report_generator"] = reports = CountingReports()
    making.reports.run(0)
    assert reports.asked == 0
    assert load_reports(making.store, REF, 0) == stored
    entry = find_report_entry(making.store, REF, 0)
    assert entry is not None
    assert (entry.seconds, entry.counts) == ({}, {"planned": 8})


@pytest.mark.parametrize("text", ["{", "[]", '{"shard": 1, "accepted": 8, "rejected": 0}', '{"shard": 0}'])
def test_a_damaged_report_entry_is_named_with_the_remedy(making: Making, text: str) -> None:
    making.store.put(REF.report_entry(0), text.encode())
    with pytest.raises(CorruptShard, match=r"reports/00000\.json.*remove it and run again"):
        making.reports.run(0)


class Refusing(CountingReports):
    """The template writer on an engine whose context holds no prompt."""

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        drafts = super().generate(requests)
        return [
            replace(draft, findings="", error=f"{draft.seed} tokens are too many", refused=True) for draft in drafts
        ]


def test_a_shard_of_which_the_engine_takes_nothing_leaves_nothing_in_the_store(making: Making) -> None:
    making.reports.__dict__["report_generator"] = reports = Refusing()
    with pytest.raises(RequestsRefused, match="took none of the 8 requests"):
        making.run(0)
    assert reports.asked == 8, "one attempt, and no other shard's"
    assert list(making.store.list("")) == []


def test_the_same_recipe_makes_the_same_bytes_whatever_the_batch_and_order(recipe: Recipe, tmp_path: Path) -> None:
    stores = [LocalStore(tmp_path / name) for name in ("one", "two")]
    other = recipe.model_copy(update={"images": recipe.images.model_copy(update={"batch": 1})})
    assert fingerprint(other) == fingerprint(recipe)
    for store, version, order in zip(stores, (recipe, other), ((0, 1, 2), (2, 0, 1)), strict=True):
        making = Making(version, store, REF)
        for shard in order:
            making.run(shard)
    for shard in range(3):
        assert stores[0].get(REF.pairs(shard)) == stores[1].get(REF.pairs(shard))


def test_all_reports_first_gives_the_same_bytes_as_shard_by_shard(recipe: Recipe, tmp_path: Path) -> None:
    by_shard, by_stage = (Making(recipe, tmp_path / name, REF) for name in ("shards", "stages"))
    by_shard.run_all()
    for stage in by_stage.stages:
        for shard in stage.missing(by_stage.store):
            stage.run(shard)
    for shard in range(3):
        for key in (REF.pairs(shard), REF.reports(shard), REF.rejects(shard)):
            assert by_shard.store.get(key) == by_stage.store.get(key)


def test_what_no_gate_knows_passes_by_name_and_is_never_scored_as_if_it_were_judged(tmp_path: Path) -> None:
    bank = tmp_path / "bank.csv"
    bank.write_text("type,term\n" + "".join(f"disease,{term}\n" for term in ("sarcoidosis", "silicosis", "gout")))
    foreign = {"plan.bank": f"{bank}", "plan.constraints": "generic", "plan.per_report": "{disease: 1}"}
    gates = {
        "report_gates": "[{kind: no_extra_finding, threshold: 1.0, allow_unjudged: ['*'], "
        "options: {vocabulary: phantom}}]",
        "image_gates": "[{kind: agreement, threshold: 0.5, allow_unjudged: [sarcoidosis, disease/silicosis]}]",
    }
    making = Making(fast_recipe(*(f"{k}={v}" for k, v in {**foreign, **gates}.items())), tmp_path / "mined", REF)
    entry = making.run(0)
    rows = from_parquet(making.store.get(REF.index(0)), PairRow)
    found = {row.entities[0].partition("/")[2]: row.gates for row in rows}
    assert set(found) == {"sarcoidosis", "silicosis"}, "gout is not allowed"
    assert 0 < entry.rejected < 8
    for text, film in found.values():
        assert (text.score, text.not_judged) == (1.0, 1)
        assert (film.score, film.not_judged, film.passed) == (None, 1, True)


def test_a_stage_travels_to_its_worker_without_models_and_plan(making: Making) -> None:
    making.run(0)
    for stage in making.stages:
        travelled = pickle.loads(pickle.dumps(stage))
        assert not {"report_generator", "image_generator", "gates"} & set(vars(travelled))
        assert travelled.missing(making.store) == stage.missing(making.store) == [1, 2]
    assert isinstance(pickle.loads(pickle.dumps(making.generation)), Generation)


def test_a_stage_says_what_a_worker_of_it_needs() -> None:
    gates = "[{kind: finite, threshold: 1.0}]"
    options = "{model: ./llm, decoding: free, tensor_parallel_size: 4}"
    workers = "{gpus: 2, cpus: 2, memory: 8, least: 3, most: 5, node: x, runtime_env: {py_executable: /x/python}}"
    full = fast_recipe(
        "reports.generator.kind=vllm", f"reports.generator.options={options}", "images.generator.kind=diffusers",
        f"image_gates={gates}", f"workers.images={workers}",
    )  # fmt: skip
    reports, images = (stage.resources for stage in Making(full, LocalStore(Path("unused")), REF).stages)
    assert reports == Resources(gpus=4)
    assert images == Resources(
        gpus=2, or_cpu=False, cpus=2, memory=8 << 30, least=3, most=5, node="x",
        runtime_env={"py_executable": "/x/python"},
    )  # fmt: skip
    server = fast_recipe("reports.generator.kind=openai", "reports.generator.options={model: m, base_url: 'http://x'}")
    assert Making(server, LocalStore(Path("unused")), REF).reports.resources == Resources()
