"""What the flow does with stages: any that are listed, with an engine of the recipe's choice, and none twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.versions import Version, open_dataset
from tasks.generate import stages
from tasks.generate.generation import Generation
from tasks.generate.image_stage import ImageStage
from tasks.generate.report_stage import ReportStage
from tests.flows.conftest import SmallFactory, run_flow
from tests.tasks.engine.toy import NoteStage

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def version_in(factory: SmallFactory) -> DatasetRef:
    """The one synthetic version of the store."""
    _, name, version, *_ = next(iter(factory.store.list("datasets/fast-cxr/"))).key.split("/")
    return DatasetRef(name, version)


def test_a_run_whose_shards_are_all_committed_loads_no_model(
    factory_after: Callable[[str], SmallFactory], monkeypatch: pytest.MonkeyPatch
) -> None:
    factory = factory_after("generate")
    ref = version_in(factory)
    before = open_dataset(factory.store, ref)
    factory.store.delete(ref.manifest)  # as if the run had died before it published

    def refuse(stage: object) -> Any:
        pytest.fail(f"a generator of {stage} is built")

    for stage in (ReportStage, ImageStage):  # building one to check its options, as every flow does, loads nothing
        monkeypatch.setattr(stage, "image_generator", property(refuse))
    monkeypatch.setattr(ReportStage, "report_generator", property(refuse))
    result = run_flow("generate", factory.parameters())
    after = open_dataset(factory.store, ref)
    assert result["accepted"] == before.accepted
    assert after.models == before.models
    assert after.shards == before.shards


def test_a_stage_that_is_added_to_the_list_is_run_by_the_flow(
    factory: SmallFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def note(generation: Generation) -> NoteStage:
        assert isinstance(generation.store, LocalStore)
        stage = NoteStage("note", generation.store)
        stage.shards = generation.plan.base_shards
        return stage

    monkeypatch.setattr(stages, "STAGES", [*stages.STAGES, note])
    run_flow("generate", factory.parameters("shard_size=4"))
    assert [info.key for info in factory.store.list("notes/")] == ["notes/note/0", "notes/note/1"]


@pytest.mark.engine
def test_on_ray_the_flow_makes_the_samples_that_it_makes_inline(
    factory: SmallFactory, factory_after: Callable[[str], SmallFactory], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    inline = factory_after("generate")
    run_flow("generate", factory.parameters("engine=ray"))
    films = []
    for one in (inline, factory):
        ref = version_in(one)
        rows = Version.open(one.store, ref).rows()
        films.append([(row.sample_id, row.findings, row.png_sha256, row.report_model) for row in rows])
    assert films[0] == films[1]
    assert len(films[0]) == 8
