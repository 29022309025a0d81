"""One sample's whole story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.errors import CorruptShard, DatasetMissing
from storage.layout import DatasetRef
from storage.ledger import publish_reports
from storage.objects import ObjectStore
from storage.records import ReportRow
from storage.shards import Sample
from storage.versions import VersionPlace
from tasks.plan.seeds import seed_for
from tasks.publish.dataset import frozen_recipe
from tasks.store.explain import Explanation, SampleMissing, explain_everywhere

World = Callable[..., DatasetRef]


def facts(found: Explanation) -> dict[str, dict[str, str]]:
    return {chapter.title: dict(chapter.facts) for chapter in found.chapters}


@pytest.mark.server
def test_an_accepted_sample_is_told_from_entity_to_training_run(store: ObjectStore, publish: World, use: Any) -> None:
    ref = publish(store)
    use(store, ref)
    (found,) = explain_everywhere(store, "sample-00001")
    assert (found.ref, found.outcome) == (ref, "accepted")
    told = facts(found)
    assert told["Text"]["IMPRESSION"] == "Small left pleural effusion."
    assert "0.25 ≥ 0.06" in told["Gates"]["contrast"]
    assert told["Model of reports"]["SHA-256 of the weights"] == "a" * 64
    assert told["Model of reports"]["revision"] == "r1"
    assert told["Film"]["prompt"] == "Small left pleural effusion."
    assert told["Used by"]["selections"] == "default"
    everything = str(told)
    mark = frozen_recipe(VersionPlace(store, ref))[0]
    for known in (mark, "pleural effusion", str(7919), str(104729), store.uri(ref.pairs(0))):
        assert known in everything, known
    assert told["Seeds of the attempts"] == {
        "reports 1": str(seed_for(mark, "sample-00001", "reports", 0)),
        "images 1": str(seed_for(mark, "sample-00001", "images", 0)),
        "images 2": str(seed_for(mark, "sample-00001", "images", 1)),
    }
    chat = next(chapter for chapter in found.chapters if chapter.title == "Prompts of the report")
    assert [role for role, _ in chat.facts] == ["system", "user", "assistant", "user"]
    assert "pleural effusion" in chat.facts[1][1]


@pytest.mark.server
def test_the_bytes_are_where_it_says(store: ObjectStore, publish: World, make_pair: Callable[..., Sample]) -> None:
    ref = publish(store)
    (found,) = explain_everywhere(store, "sample-00004")
    size, _, offset = facts(found)["Bytes"]["png"].partition(" bytes from byte ")
    tar = store.get(ref.pairs(1))
    assert tar[int(offset) : int(offset) + int(size)] == make_pair(4).png


def test_training_runs_that_drew_it_are_named_and_others_are_not(
    local_store: ObjectStore, publish: World, use: Any
) -> None:
    ref = publish(local_store)
    run = use(local_store, ref)
    ids = ["sample-00000", "sample-00001", "sample-00003", "sample-00004"]
    used = {sample: facts(explain_everywhere(local_store, sample)[0])["Used by"] for sample in ids}
    assert "dropped it: blurred" in used["sample-00000"]["selections"]
    drawn = [sample for sample in ids if f", run {run}" in used[sample]["training runs"]]
    assert all("arm synthetic, seed 5 (checkpoints/" in used[sample]["training runs"] for sample in drawn)
    assert len(drawn) == 2  # the arm drew two of the three that were kept
    assert "sample-00000" not in drawn


def test_a_rejected_sample_says_where_and_why(local_store: ObjectStore, publish: World) -> None:
    publish(local_store)
    (found,) = explain_everywhere(local_store, "sample-00002")
    assert found.outcome == "rejected at images by gate two_lungs"
    assert "no lung found on the left" in str(facts(found))
    assert "images 3" in facts(found)["Seeds of the attempts"]


def test_a_sample_that_is_half_made_says_so(
    local_store: ObjectStore, begin: World, make_pair: Callable[..., Sample], report_for: Callable[[Sample], ReportRow]
) -> None:
    ref = begin(local_store, 1)
    publish_reports(local_store, ref, 1, [report_for(make_pair(3))])
    (found,) = explain_everywhere(local_store, "sample-00003")
    assert found.outcome == "its report is written, its film is not drawn yet"
    assert facts(found)["Version"]["published"].startswith("not yet")
    assert "pleural effusion" in facts(found)["Report"]["FINDINGS"]


def test_two_datasets_of_one_recipe_share_their_samples(local_store: ObjectStore, publish: World) -> None:
    one, two = publish(local_store), publish(local_store, dataset="others")
    assert [found.ref for found in explain_everywhere(local_store, "sample-00000")] == [one, two]
    assert [found.ref for found in explain_everywhere(local_store, "sample-00000", two)] == [two]


@pytest.mark.parametrize("sample", ["sample-00099", "nonsense", "", "a-b-c", "²-²"])
def test_a_sample_that_is_nowhere(local_store: ObjectStore, publish: World, sample: str) -> None:
    ref = publish(local_store)
    with pytest.raises(SampleMissing, match=f"no sample '{sample}' in {ref}"):
        explain_everywhere(local_store, sample)
    with pytest.raises(DatasetMissing, match="nothing of films/v-9"):
        explain_everywhere(local_store, sample, DatasetRef("films", "v-9"))


def test_a_damaged_tar_on_the_way_is_named(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    local_store.put(ref.pairs(0), local_store.get(ref.pairs(0))[:700], create_only=False)
    with pytest.raises(CorruptShard, match=r"pairs/00000\.tar is damaged.*synth verify"):
        explain_everywhere(local_store, "sample-00001")


def test_a_run_whose_draw_cannot_be_made_again_is_named_as_such(
    local_store: ObjectStore, publish: World, use: Any
) -> None:
    from storage.layout import selection_key

    ref = publish(local_store)
    use(local_store, ref)
    local_store.delete(selection_key(ref, "default", "selection.parquet"))
    assert "unknown (" in str(explain_everywhere(local_store, "sample-00001"))


def test_runs_of_the_first_format_are_still_told(
    local_store: ObjectStore, publish: World, use_first_format: Any
) -> None:
    run = use_first_format(local_store, publish(local_store))
    ids = ["sample-00000", "sample-00001", "sample-00003", "sample-00004"]
    told = [facts(explain_everywhere(local_store, sample)[0])["Used by"]["training runs"] for sample in ids]
    assert sum(f"arm synthetic, seed 5 (runs/{run}/synthetic/checkpoint.safetensors)" in text for text in told) == 2
