"""A version is begun with one recipe and closed with one manifest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from storage.errors import ManifestConflict
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard
from storage.objects import ObjectStore
from storage.records import RejectRow
from storage.shards import Sample
from storage.versions import VersionPlace
from tasks.publish.dataset import (
    ManifestFacts,
    NothingAccepted,
    RecipeChanged,
    find_version,
    frozen_recipe,
    open_version,
    publish_manifest,
)
from tasks.recipe.schema import Recipe

Make = Callable[..., Sample]


def text(**changes: Any) -> str:
    recipe = Recipe(report_gates=(), image_gates=(), **changes)
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


@pytest.fixture
def place(local_store: ObjectStore, ref: DatasetRef) -> VersionPlace:
    return VersionPlace(local_store, ref)


def test_the_recipe_is_frozen_with_its_fingerprint(place: VersionPlace) -> None:
    open_version(place, text(seed=3), "a" * 64)
    fingerprint, document = frozen_recipe(place)
    assert fingerprint == "a" * 64
    assert Recipe.model_validate(document).seed == 3


def test_the_same_recipe_opens_the_version_again(
    local_store: ObjectStore, ref: DatasetRef, place: VersionPlace
) -> None:
    open_version(place, text(), "a" * 64)
    before = local_store.get(ref.recipe)
    open_version(place, text(cost_per_hour=9.0), "a" * 64)
    assert local_store.get(ref.recipe) == before


def test_another_recipe_is_refused_with_the_fields_that_differ(place: VersionPlace) -> None:
    open_version(place, text(pairs=512, seed=1), "a" * 64)
    with pytest.raises(RecipeChanged) as refused:
        open_version(place, text(pairs=600, seed=1), "b" * 64)
    assert "pairs: 512 -> 600" in str(refused.value)
    assert "seed" not in str(refused.value)
    assert "choose another name for the version" in str(refused.value)


def test_a_published_version_of_another_recipe_is_not_taken(
    local_store: ObjectStore, ref: DatasetRef, make_pair: Make, place: VersionPlace
) -> None:
    open_version(place, text(pairs=512, seed=1), "a" * 64)
    entry = commit_shard(local_store, ref, 0, ShardContents([make_pair(0)]))
    publish_manifest(place, [entry], ManifestFacts(fingerprint="a" * 64, asked=512, models={}))
    assert find_version(place, text(pairs=512, seed=1), "a" * 64) is not None
    with pytest.raises(RecipeChanged) as refused:
        find_version(place, text(pairs=512, seed=1234), "b" * 64)
    told = str(refused.value)
    assert str(ref) in told
    assert f"fingerprint {'a' * 12} there, {'b' * 12} here" in told
    assert "seed: 1 -> 1234" in told
    assert "version=" in told


def test_a_version_that_was_begun_by_another_recipe_is_not_taken(place: VersionPlace) -> None:
    assert find_version(place, text(), "a" * 64) is None
    open_version(place, text(), "a" * 64)
    assert find_version(place, text(), "a" * 64) is None
    with pytest.raises(RecipeChanged, match="begun with another recipe"):
        find_version(place, text(seed=1), "b" * 64)


def test_another_recipe_is_refused_although_the_stored_one_is_damaged(
    local_store: ObjectStore, ref: DatasetRef, make_pair: Make, place: VersionPlace
) -> None:
    open_version(place, text(), "a" * 64)
    entry = commit_shard(local_store, ref, 0, ShardContents([make_pair(0)]))
    publish_manifest(place, [entry], ManifestFacts(fingerprint="a" * 64, asked=512, models={}))
    local_store.put(ref.recipe, b"\xff\xfe", create_only=False)
    with pytest.raises(RecipeChanged, match="cannot be read"):
        find_version(place, text(seed=1), "b" * 64)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a: [", b"a: " + b"[" * 5000, b"- 1\n", b"", b"!!python/object:os.system {}\n"]
)
def test_a_damaged_recipe_is_one_error_that_names_it(
    local_store: ObjectStore, ref: DatasetRef, content: bytes, place: VersionPlace
) -> None:
    local_store.put(ref.recipe, b"# fingerprint: " + b"a" * 64 + b"\n" + content)
    with pytest.raises(RecipeChanged, match=r"recipe\.yaml"):
        frozen_recipe(place)


def test_a_recipe_that_is_not_ours_is_refused(local_store: ObjectStore, ref: DatasetRef, place: VersionPlace) -> None:
    local_store.put(ref.recipe, b"seed: 1\n")
    with pytest.raises(RecipeChanged, match="not written by synthcxr"):
        open_version(place, text(), "a" * 64)


def test_a_version_of_which_nothing_was_accepted_is_not_published_and_says_what_took_the_samples(
    local_store: ObjectStore,
    ref: DatasetRef,
    make_pair: Make,
    make_reject: Callable[..., RejectRow],
    place: VersionPlace,
) -> None:
    rejects = [make_reject(n, "agreement" if n else "draft") for n in range(4)]
    entry = commit_shard(local_store, ref, 0, ShardContents([], rejects=rejects))
    details: dict[str, Any] = {"fingerprint": "a" * 64, "asked": 4, "models": {}}
    with pytest.raises(
        NothingAccepted, match=r"none of its 4 samples.*agreement took 3 \(.+\); draft took 1"
    ) as raised:
        publish_manifest(place, [entry], ManifestFacts(**details))
    assert "\n" not in str(raised.value)
    assert local_store.head(ref.manifest) is None
    more = commit_shard(local_store, ref, 1, ShardContents([make_pair(9)]))
    assert publish_manifest(place, [entry, more], ManifestFacts(**details)).accepted == 1, (
        "the version goes on from there"
    )


def test_the_manifest_counts_what_is_stored(
    local_store: ObjectStore,
    ref: DatasetRef,
    make_pair: Make,
    make_reject: Callable[..., RejectRow],
    place: VersionPlace,
) -> None:
    entries = [
        commit_shard(
            local_store,
            ref,
            shard,
            ShardContents(
                [make_pair(shard * 10 + number) for number in range(3)],
                rejects=[make_reject(shard * 10 + 5), make_reject(shard * 10 + 6, "agreement")],
                seconds={"images": 2.0},
            ),
        )
        for shard in (1, 0)
    ]
    details: dict[str, Any] = {"fingerprint": "a" * 64, "asked": 6, "models": {"images": {"name": "painter"}}}
    manifest = publish_manifest(place, entries, ManifestFacts(**details))
    assert [shard.shard for shard in manifest.shards] == [0, 1]
    assert (manifest.accepted, manifest.rejected) == (6, 4)
    assert manifest.rejected_by_gate == {"agreement": 2, "two_lungs": 2}
    assert manifest.entity_counts["abnormality/pleural effusion"] == 6
    assert publish_manifest(place, entries, ManifestFacts(**details)) == manifest
    with pytest.raises(ManifestConflict):
        publish_manifest(place, entries[:1], ManifestFacts(**details))
