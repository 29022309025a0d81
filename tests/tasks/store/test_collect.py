"""Garbage is what nothing reaches; everything else stays, whatever happens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.attempts import Attempts
from storage.errors import DatasetMissing
from storage.layout import DatasetRef, model_prediction_key, selection_key, state_key
from storage.ledger import ShardContents, commit_shard
from storage.objects import ObjectStore
from storage.shards import Sample
from storage.tags import advance_latest, set_tag
from tasks.store.collect import StillNeeded, collect, find_garbage
from tasks.store.verify import verify_dataset
from tests.counts import scaled

World = Callable[..., DatasetRef]
NOW = timedelta(0)


def keys(store: ObjectStore) -> set[str]:
    return {info.key for info in store.list("")}


@pytest.mark.server
def test_what_a_slower_rival_left_goes_and_the_version_stays_whole(
    store: ObjectStore, publish: World, use: Any, make_pair: Callable[..., Sample]
) -> None:
    ref = publish(store)
    use(store, ref)
    store.put(ref.card("README.md"), b"card")
    advance_latest(store, ref)
    set_tag(store, ref, "champion")
    needed = keys(store)
    commit_shard(store, ref, 2, ShardContents([make_pair(9)]))
    store.put(ref.reports(3), b"cut off")
    store.put("probe-0", b"first")
    store.put("mlflow/1/artifact", b"not ours to judge")
    garbage = find_garbage(store, older=NOW)
    assert {item.key for item in garbage.items} == keys(store) - needed - {"mlflow/1/artifact"}
    assert sum(item.size for item in garbage.items) > 0
    before = keys(store)
    assert before == keys(store)  # looking removes nothing
    assert collect(garbage) == 5
    assert keys(store) == needed | {"mlflow/1/artifact"}
    assert verify_dataset(store, ref).problems == ()
    assert find_garbage(store, older=NOW).items == ()


@pytest.mark.server
def test_an_unfinished_version_stays_unless_it_is_given_up_by_name(
    store: ObjectStore, begin: World, publish: World
) -> None:
    whole, open_ = publish(store), begin(store, 1, seed=1)
    needed = {key for key in keys(store) if key.startswith(f"{whole.prefix}/")}
    garbage = find_garbage(store)
    assert (garbage.items, garbage.unfinished) == ((), (open_,))
    given_up = find_garbage(store, abandon=[open_])
    order = [item.key for item in given_up.items]
    assert order[0] == open_.index(0)  # cut off from here on, it is an unfinished version like any other
    assert order[-1] == open_.recipe
    collect(given_up)
    assert keys(store) == needed


def test_predictions_go_with_their_checkpoint_and_not_before(
    local_store: ObjectStore, publish: World, use: Any
) -> None:
    use(local_store, publish(local_store))
    assert find_garbage(local_store, older=NOW).items == ()
    (weights,) = (key for key in keys(local_store) if key.startswith("checkpoints/") and key.endswith(".safetensors"))
    local_store.delete(weights)
    (item,) = find_garbage(local_store, older=NOW).items
    assert item.key.startswith("predictions/")
    assert item.why == "the checkpoint that made it is gone"
    before = keys(local_store)
    collect(find_garbage(local_store, older=NOW))
    assert before - keys(local_store) == {item.key}


def test_predictions_of_a_model_from_elsewhere_stay(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    local_store.put(model_prediction_key("c" * 64, ref, "0123456789abcdef"), b"predictions")
    assert find_garbage(local_store, older=NOW).items == ()


def test_the_state_of_a_training_goes_when_that_has_ended_and_not_before(
    local_store: ObjectStore, publish: World, use: Any
) -> None:
    use(local_store, publish(local_store))
    (trained,) = (key for key in keys(local_store) if key.endswith("/trial.json"))
    over, running = state_key(trained.split("/")[1], 400), state_key("b" * 64, 400)
    for key in (over, running):
        local_store.put(key, b"state")
    assert [(item.key, item.why) for item in find_garbage(local_store, older=NOW).items] == [
        (over, "its training has ended")
    ]


def test_what_something_refers_to_cannot_be_given_up(local_store: ObjectStore, begin: World, publish: World) -> None:
    whole, open_ = publish(local_store), begin(local_store, seed=1)
    with pytest.raises(StillNeeded, match="is published"):
        find_garbage(local_store, abandon=[whole])
    local_store.put(selection_key(open_, "default", "selection.parquet"), b"x")
    with pytest.raises(StillNeeded, match="selection default"):
        find_garbage(local_store, abandon=[open_])
    with pytest.raises(DatasetMissing, match="nothing of films/v-9"):
        find_garbage(local_store, abandon=[DatasetRef("films", "v-9")])


def test_a_version_that_a_checkpoint_was_trained_on_cannot_be_given_up(
    local_store: ObjectStore, publish: World, use: Any
) -> None:
    ref = publish(local_store)
    use(local_store, ref)
    local_store.delete(ref.manifest)
    local_store.delete(selection_key(ref, "default", "selection.parquet"))
    told = r"checkpoint of arm synthetic, seed 5 \(checkpoints/.*\), run run-1 .*3 in all"
    with pytest.raises(StillNeeded, match=told):
        find_garbage(local_store, abandon=[ref])


@pytest.mark.parametrize(
    "key",
    [
        "runs/other/real/checkpoint.safetensors",
        "runs/other/trials.json",
        f"checkpoints/{'a' * 64}/000004.safetensors",
        f"checkpoints/{'a' * 64}/trial.json",
    ],
)
def test_nothing_is_given_up_while_a_checkpoint_cannot_be_read(
    local_store: ObjectStore, begin: World, key: str
) -> None:
    ref = begin(local_store)
    local_store.put(key, b"cut off")
    with pytest.raises(StillNeeded, match=f"{re.escape(key)}, which cannot be read"):
        find_garbage(local_store, abandon=[ref])


def test_nothing_of_a_version_with_a_damaged_manifest_is_touched(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    local_store.put(ref.reports(9), b"x")
    local_store.put(ref.manifest, local_store.get(ref.manifest).replace(b'"asked":6', b'"asked":7'), create_only=False)
    garbage = find_garbage(local_store, older=NOW)
    assert garbage.items == ()
    assert list(garbage.damaged) == [str(ref)]
    assert "was edited" in garbage.damaged[str(ref)]


FOREIGN = (".DS_Store", "pairs/.nfs0000000000a1b2c3", "reports/._00000.parquet", "card/Thumbs.db", "notes/mine.txt")


def test_what_this_project_does_not_write_is_never_garbage(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    strange = [*map(ref.key, FOREIGN), "datasets/.cache/v1/x", "datasets/readme.txt", "datasets/a b/v1/recipe.yaml"]
    for key in strange:
        local_store.put(key, b"x")
    garbage = find_garbage(local_store, older=NOW)
    assert garbage.items == ()
    assert sorted(garbage.foreign) == sorted(strange)


def test_no_shard_of_an_unsealed_manifest_is_garbage(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    document = json.loads(local_store.get(ref.manifest))
    gone = document["shards"].pop(0)
    document |= {"seal": "", "accepted": document["accepted"] - gone["accepted"]}
    local_store.put(ref.manifest, json.dumps(document).encode(), create_only=False)
    garbage = find_garbage(local_store, older=NOW)
    assert garbage.items == ()
    assert "has no seal" in garbage.damaged[str(ref)]


@pytest.mark.parametrize("dataset", ["films", "other"])
def test_a_damaged_tag_keeps_only_what_it_may_point_to(local_store: ObjectStore, begin: World, dataset: str) -> None:
    ref = begin(local_store)
    local_store.put(f"tags/{dataset}/champion/000001.json", b'{"dataset":')
    if dataset == "other":
        assert len(find_garbage(local_store, abandon=[ref]).items) > 0
        return
    with pytest.raises(StillNeeded, match=r"tags/films/champion/000001\.json, which cannot be read"):
        find_garbage(local_store, abandon=[ref])


names = st.sampled_from(
    ["reports/00000.parquet", "pairs/00000.tar", "pairs/00009.tar", "rejects/00007.parquet", "reports/100000.parquet"]
)


@settings(max_examples=scaled(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extra=st.lists(st.tuples(st.integers(0, 1), names), max_size=6))
def test_whatever_lies_around_a_published_version_stays_whole(
    tmp_path_factory: pytest.TempPathFactory, publish: World, extra: list[tuple[int, str]]
) -> None:
    from storage.errors import AlreadyExists
    from storage.local import LocalStore

    store = LocalStore(tmp_path_factory.mktemp("store"))
    refs = [publish(store), publish(store, seed=1)]
    needed = keys(store)
    for number, name in extra:
        try:
            store.put(refs[number].key(name), b"stray")
        except AlreadyExists:
            continue
    collect(find_garbage(store, older=NOW))
    assert keys(store) == needed
    assert all(verify_dataset(store, ref).problems == () for ref in refs)


def test_notes_of_attempts_go_with_the_making_of_their_version(
    local_store: ObjectStore, begin: World, publish: World
) -> None:
    made, making = publish(local_store), begin(local_store, dataset="others")
    for ref in (made, making, DatasetRef("gone", "v1")):
        Attempts(local_store, ref).begin("images", 0)
    assert {item.key.split("/")[1] for item in find_garbage(local_store).items} == {made.name, "gone"}
    given_up = find_garbage(local_store, abandon=[making])
    assert {item.key.split("/")[1] for item in given_up.items} == {made.name, "gone", making.name}
