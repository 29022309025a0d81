"""Tags move, one at a time, and only to what is published."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from storage.errors import DatasetMissing
from storage.layout import DatasetRef, tag_key
from storage.ledger import ShardContents, commit_shard
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest
from storage.shards import Sample
from storage.tags import BadTag, advance_latest, find_tag, resolve, set_tag, tags

Make = Callable[..., Sample]


def published(store: ObjectStore, make_pair: Make, version: str, day: int = 1, name: str = "films") -> DatasetRef:
    """A version of one pair, published on a day of January."""
    ref = DatasetRef(name, version)
    store.put(ref.recipe, b"# fingerprint: f\npairs: 1\n")
    entry = commit_shard(store, ref, 0, ShardContents([make_pair(day)]))
    manifest = Manifest(
        dataset=name, version=version, fingerprint="f", created=datetime(2026, 1, day, tzinfo=UTC), asked=1,
        accepted=1, rejected=0, shards=[entry], models={}, rejected_by_gate={}, entity_counts={},
    )  # fmt: skip
    write_manifest(store, ref, manifest)
    return ref


@pytest.mark.server
def test_a_tag_moves_and_remembers(store: ObjectStore, make_pair: Make) -> None:
    one, two = (published(store, make_pair, version, day) for day, version in enumerate(("v1", "v2"), 1))
    assert find_tag(store, "films", "champion") is None
    assert set_tag(store, one, "champion").number == 1
    assert set_tag(store, two, "champion").number == 2
    assert set_tag(store, two, "champion").number == 2  # nothing to do
    assert [(tag.tag, tag.version) for tag in tags(store)] == [("champion", "v2")]
    assert b'"version":"v1"' in store.get(tag_key("films", "champion", 1))


@pytest.mark.server
def test_of_eight_who_move_a_tag_at_once_each_move_is_kept_and_one_stands(store: ObjectStore, make_pair: Make) -> None:
    refs = [published(store, make_pair, f"v{number}", number) for number in range(1, 9)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda ref: set_tag(store, ref, "champion"), refs))
    assert sorted(tag.number for tag in made) == [*range(1, 9)]
    last = max(made, key=lambda tag: tag.number)
    assert find_tag(store, "films", "champion") == last


def test_latest_goes_forward_only(local_store: ObjectStore, make_pair: Make) -> None:
    old = published(local_store, make_pair, "v-old", 1)
    new = published(local_store, make_pair, "v-new", 2)
    for ref in (old, new, old, old):  # an old recipe that is run again finds its version and changes nothing
        tag = advance_latest(local_store, ref)
    assert tag.version == "v-new"
    assert tag.number == 2


@pytest.mark.parametrize("name", ["", "a/b", "../up", "v1"])
def test_what_cannot_name_a_tag_is_refused(local_store: ObjectStore, make_pair: Make, name: str) -> None:
    ref = published(local_store, make_pair, "v1")
    with pytest.raises(BadTag, match=f"'{name}' cannot be a tag"):
        set_tag(local_store, ref, name)


def test_an_unfinished_version_gets_no_tag(local_store: ObjectStore) -> None:
    local_store.put(DatasetRef("films", "v1").recipe, b"# fingerprint: f\npairs: 1\n")
    with pytest.raises(DatasetMissing, match="no manifest yet"):
        set_tag(local_store, DatasetRef("films", "v1"), "champion")


def test_a_person_may_name_a_version_in_many_ways(local_store: ObjectStore, make_pair: Make) -> None:
    one, two = published(local_store, make_pair, "v-1", 1), published(local_store, make_pair, "v-2", 2)
    other = published(local_store, make_pair, "v-3", 3, name="others")
    set_tag(local_store, one, "champion")
    advance_latest(local_store, two)
    meant = {
        "films@v-1": one,
        "films/v-1": one,
        "films@champion": one,
        "films@latest": two,
        "films": two,
        "v-1": one,
        "others": other,
    }
    assert {text: resolve(local_store, text) for text in meant} == meant


@pytest.mark.parametrize("text", ["films@v-9", "nothing", "films@", "@v-1", "../x", "films@a@b", ""])
def test_what_means_no_version_is_told_with_what_there_is(
    local_store: ObjectStore, make_pair: Make, text: str
) -> None:
    published(local_store, make_pair, "v-1")
    published(local_store, make_pair, "v-2")
    with pytest.raises(DatasetMissing, match=r"films@v-1, films@v-2|NAME@VERSION"):
        resolve(local_store, text)


def test_a_name_that_means_two_versions_is_not_guessed(local_store: ObjectStore, make_pair: Make) -> None:
    for name in ("films", "others"):
        published(local_store, make_pair, "v-1", name=name)
    with pytest.raises(DatasetMissing, match=r"more than one version is meant by 'v-1'.*films@v-1, others@v-1"):
        resolve(local_store, "v-1")


def test_a_damaged_tag_is_named(local_store: ObjectStore) -> None:
    local_store.put(tag_key("films", "champion", 1), b"<html>")
    with pytest.raises(BadTag, match=r"tags/films/champion/000001\.json"):
        find_tag(local_store, "films", "champion")


def test_foreign_objects_among_the_tags_are_passed_over(local_store: ObjectStore, make_pair: Make) -> None:
    ref = published(local_store, make_pair, "v-1")
    set_tag(local_store, ref, "champion")
    for key in ("tags/.DS_Store", "tags/films/champion/.nfs01", "tags/films/champion/x.json", "tags/films/x/y/z"):
        local_store.put(key, b"x")
    assert [tag.ref for tag in tags(local_store)] == [ref]
    held = find_tag(local_store, ref.name, "champion")
    assert held is not None
    assert held.number == 1


@pytest.mark.parametrize(
    "changes", [{"version": "v 1"}, {"version": "../x"}, {"number": 7}, {"tag": "latest"}, {"dataset": "others"}]
)
def test_a_tag_of_another_place_is_refused(
    local_store: ObjectStore, make_pair: Make, changes: dict[str, object]
) -> None:
    ref = published(local_store, make_pair, "v-1")
    made = set_tag(local_store, ref, "champion")
    key = tag_key(ref.name, "champion", 1)
    local_store.put(key, json.dumps(made.model_dump(mode="json") | changes).encode(), create_only=False)
    with pytest.raises(BadTag, match=r"champion/000001\.json is not the tag of its place") as refused:
        resolve(local_store, f"{ref.name}@champion")
    assert "\n" not in str(refused.value)


def test_the_highest_number_counts_although_some_are_missing(local_store: ObjectStore, make_pair: Make) -> None:
    ref = published(local_store, make_pair, "v-1")
    made = set_tag(local_store, ref, "champion")
    far = made.model_copy(update={"number": 41})
    local_store.put(tag_key(ref.name, "champion", 41), far.model_dump_json().encode())
    assert set_tag(local_store, published(local_store, make_pair, "v-2"), "champion").number == 42
