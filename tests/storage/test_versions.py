"""Names, versions and manifests, and what is said when they are not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import pytest

from storage.errors import DatasetMissing, ManifestConflict
from storage.layout import DatasetRef, run_key, selection_key, shard_of_index
from storage.ledger import ShardContents, commit_shard
from storage.manifest import find_manifest, write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest
from storage.shards import Sample
from storage.versions import Version, VersionPlace, open_dataset, published
from tasks.publish.dataset import ManifestFacts, make_manifest
from tests.storage.agreement import check_objects

Make = Callable[..., Sample]


def publish(store: ObjectStore, ref: DatasetRef, make_pair: Make, shards: int = 2) -> Manifest:
    entries = [commit_shard(store, ref, shard, ShardContents([make_pair(shard)])) for shard in range(shards)]
    return write_manifest(
        store,
        ref,
        make_manifest(VersionPlace(store, ref), entries, ManifestFacts(fingerprint="f" * 64, asked=shards, models={})),
    )


def test_keys_are_spelt_as_the_documented_layout() -> None:
    ref = DatasetRef("phantom-cxr", "v1")
    assert str(ref) == "phantom-cxr/v1"
    assert ref.pairs(42) == "datasets/phantom-cxr/v1/pairs/00042.tar"
    assert ref.index(42) == "datasets/phantom-cxr/v1/pairs/00042.parquet"
    assert ref.reports(42) == "datasets/phantom-cxr/v1/reports/00042.parquet"
    assert ref.rejects(42) == "datasets/phantom-cxr/v1/rejects/00042.parquet"
    assert (ref.recipe, ref.manifest) == (f"{ref.prefix}/recipe.yaml", f"{ref.prefix}/manifest.json")
    assert ref.card("report.html") == "datasets/phantom-cxr/v1/card/report.html"
    assert ref.relative(ref.pairs(1)) == "pairs/00001.tar"
    assert selection_key(ref, "best", "kept.parquet") == "selections/phantom-cxr/v1/best/kept.parquet"
    assert run_key("r1", "scores.json") == "runs/r1/scores.json"
    assert shard_of_index(ref.index(123456)) == 123456
    assert shard_of_index(ref.pairs(1)) is None


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden", "with space"])
def test_a_name_that_would_break_a_key_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        DatasetRef(name, "v1")
    with pytest.raises(ValueError, match="cannot name"):
        DatasetRef("a", name)


@pytest.mark.server
def test_a_published_version_is_found_with_its_rows(store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    manifest = publish(store, ref, make_pair)
    assert open_dataset(store, ref) == manifest
    assert published(store) == [ref]
    version = Version.open(store, ref)
    assert [row.sample_id for row in version.rows()] == ["sample-00000", "sample-00001"]
    assert (version.manifest, str(version)) == (manifest, str(ref))
    assert [sample.key for sample in version.samples()] == [row.sample_id for row in version.rows()]
    assert [sample.key for sample in version.samples(select={"sample-00001"})] == ["sample-00001"]
    assert list(version.rejects()) == []
    assert version.tars() == [ref.pairs(0), ref.pairs(1)]
    assert manifest.entity_counts["abnormality/pleural effusion"] == 2


def test_what_is_missing_is_said_with_what_there_is(
    local_store: ObjectStore, ref: DatasetRef, make_pair: Make
) -> None:
    with pytest.raises(DatasetMissing, match="datasets there: none"):
        open_dataset(local_store, ref)
    publish(local_store, ref, make_pair)
    with pytest.raises(DatasetMissing, match=r"no version 'v9'.*it has: v-test"):
        open_dataset(local_store, DatasetRef("phantom-cxr", "v9"))
    with pytest.raises(DatasetMissing, match="datasets there: phantom-cxr"):
        open_dataset(local_store, DatasetRef("mimic", "v1"))
    local_store.put(DatasetRef("begun", "v1").recipe, b"x")
    with pytest.raises(DatasetMissing, match="begun, but has no manifest"):
        open_dataset(local_store, DatasetRef("begun", "v1"))


def test_a_manifest_is_written_once(local_store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    stored = publish(local_store, ref, make_pair)
    later = stored.model_copy(update={"created": stored.created.replace(year=2040)})
    assert write_manifest(local_store, ref, later) == stored
    other = stored.model_copy(update={"fingerprint": "0" * 64})
    with pytest.raises(ManifestConflict, match="other contents"):
        write_manifest(local_store, ref, other)
    assert find_manifest(local_store, ref) == stored


def test_a_manifest_must_add_up(local_store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    manifest = publish(local_store, ref, make_pair)
    local_store.delete(ref.manifest)
    with pytest.raises(ManifestConflict, match="5 accepted"):
        write_manifest(local_store, ref, manifest.model_copy(update={"accepted": 5}))
    with pytest.raises(ManifestConflict, match="cannot be published as"):
        write_manifest(local_store, DatasetRef("other", "v1"), manifest)


def test_verify_names_every_object_that_differs(local_store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    manifest = publish(local_store, ref, make_pair)
    check_objects(local_store, ref, manifest, deep=True)
    tar = local_store.get(ref.pairs(0))
    local_store.put(ref.pairs(0), tar[:-1] + b"x", create_only=False)
    check_objects(local_store, ref, manifest)
    with pytest.raises(ManifestConflict, match=r"pairs/00000\.tar has another SHA-256"):
        check_objects(local_store, ref, manifest, deep=True)
    local_store.put(ref.pairs(0), tar[:-1], create_only=False)
    local_store.delete(ref.index(1))
    with pytest.raises(ManifestConflict, match=r"pairs/00000\.tar has .* bytes.*pairs/00001\.parquet is missing"):
        check_objects(local_store, ref, manifest)


def test_what_is_no_manifest_is_said(local_store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    document = json.loads(publish(local_store, ref, make_pair).model_dump_json())
    for text in ("not json", "[]", json.dumps(document | {"surprise": 1})):
        local_store.put(ref.manifest, text.encode(), create_only=False)
        with pytest.raises(ManifestConflict, match="is not a manifest"):
            find_manifest(local_store, ref)
    local_store.put(ref.manifest, json.dumps(document | {"format": 99}).encode(), create_only=False)
    with pytest.raises(ManifestConflict, match=r"format 99.*upgrade"):
        find_manifest(local_store, ref)


def test_the_manifest_hashes_are_of_the_stored_bytes(
    local_store: ObjectStore, ref: DatasetRef, make_pair: Make
) -> None:
    entry = publish(local_store, ref, make_pair).shards[0]
    assert entry.index.sha256 == hashlib.sha256(local_store.get(ref.index(0))).hexdigest()
