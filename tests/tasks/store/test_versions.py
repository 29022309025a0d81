"""Versions in order, and what two of them disagree on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from storage.errors import DatasetMissing
from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.tags import advance_latest, set_tag
from storage.versions import Version, VersionPlace
from tasks.store.versions import compare, history, parent_of

World = Callable[..., DatasetRef]


@pytest.mark.server
def test_versions_are_listed_with_parents_and_tags_and_unfinished_ones_last(
    store: ObjectStore, publish: World, begin: World
) -> None:
    one = publish(store)
    advance_latest(store, one)
    assert parent_of(VersionPlace(store, one)) == {}
    child = DatasetRef("films", "v-child")
    two = publish(store, lineage=parent_of(VersionPlace(store, child)), seed=1)
    set_tag(store, two, "champion")
    open_ = begin(store, seed=2)
    publish(store, dataset="others")
    lines = history(store, "films")
    assert {line.ref for line in lines[:2]} == {one, two}
    assert [line.ref for line in lines[2:]] == [open_]
    by_ref = {line.ref: line for line in lines}
    assert by_ref[one].tags == ("latest",)
    assert (by_ref[two].tags, by_ref[two].parent) == (("champion",), str(one))
    assert (by_ref[two].asked, by_ref[two].accepted, by_ref[two].shards) == (6, 4, 2)
    assert by_ref[open_].created is None
    assert len(history(store)) == 4


def test_no_such_dataset(local_store: ObjectStore) -> None:
    assert history(local_store) == []
    with pytest.raises(DatasetMissing, match="no dataset 'films'"):
        history(local_store, "films")


def test_a_damaged_manifest_does_not_hide_the_other_versions(local_store: ObjectStore, publish: World) -> None:
    one, two = publish(local_store), publish(local_store, seed=1)
    local_store.put(one.manifest, b"<html>", create_only=False)
    by_ref = {line.ref: line for line in history(local_store)}
    assert "is not a manifest" in by_ref[one].trouble
    assert by_ref[two].accepted == 4


@pytest.mark.server
def test_a_difference_is_told_field_by_field(store: ObjectStore, publish: World) -> None:
    one = publish(store)
    two = publish(store, seed=7, pairs=5, cost_per_hour=2.0, images={"batch": 4})
    found = compare(Version.open(store, one), Version.open(store, two))
    assert [str(change) for change in found.recipe] == ["pairs: 6 -> 5", "seed: 0 -> 7"]
    assert {change.path for change in found.settings} == {"cost_per_hour", "images.batch"}
    assert [str(change) for change in found.facts] == ["pairs asked: 6 -> 5"]
    assert found.entities == ()


def test_entities_and_gates_are_compared_largest_difference_first(local_store: ObjectStore, publish: World) -> None:
    from storage.manifest import find_manifest, write_manifest

    one, two = publish(local_store), publish(local_store, seed=1)
    manifest = find_manifest(local_store, two)
    assert manifest is not None
    local_store.delete(two.manifest)
    changes: dict[str, Any] = {
        "entity_counts": {**manifest.entity_counts, "anatomy/zone 0": 9, "disease/new": 2},
        "rejected_by_gate": {"contrast": 2},
        "models": {"reports": {"name": "writer", "revision": "r2", "sha256": "b" * 64}},
    }
    write_manifest(local_store, two, manifest.model_copy(update=changes))
    found = compare(Version.open(local_store, one), Version.open(local_store, two))
    assert [change.path for change in found.entities] == ["anatomy/zone 0", "disease/new"]
    facts = {change.path: (change.before, change.after) for change in found.facts}
    assert facts["model of reports.revision"] == ("r1", "r2")
    assert facts["rejected by contrast"] == (None, 2)
    assert facts["rejected by two_lungs"] == (2, None)


def test_a_version_does_not_differ_from_itself(local_store: ObjectStore, publish: World) -> None:
    ref = publish(local_store)
    version = Version.open(local_store, ref)
    found = compare(version, version)
    assert (found.recipe, found.settings, found.facts, found.entities) == ((), (), (), ())
