"""The indices of a version are read once per process, and only as the manifest names them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.errors import CorruptShard
from storage.indices import version_indices
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.shards import Sample
from storage.versions import Version

World = Callable[..., DatasetRef]


class Watched(LocalStore):
    """A local store that keeps count of what is read."""

    read: list[str]

    def open(self, key: str):  # type: ignore[no-untyped-def]
        self.read.append(key)
        return super().open(key)

    def get(self, key: str) -> bytes:
        self.read.append(key)
        return super().get(key)


@pytest.fixture
def watched(local_store: LocalStore) -> Watched:
    store = Watched(local_store.root)
    store.read = []
    return store


def test_ids_and_texts_come_tar_by_tar_as_the_tars_have_them(
    local_store: LocalStore, publish: World, make_pair: Callable[..., Sample]
) -> None:
    ref = publish(local_store)
    found = version_indices(Version.open(local_store, ref))
    assert [index.key for index in found] == [ref.pairs(0), ref.pairs(1)]
    assert found[1].ids == ("sample-00003", "sample-00004")
    assert found[1].texts[0] == make_pair(3).txt


def test_a_version_is_read_once(watched: Watched, publish: World) -> None:
    ref = publish(watched, seed=77)
    version = Version.open(watched, ref)
    watched.read.clear()
    first = version_indices(version)
    assert sorted(set(watched.read)) == [ref.index(0), ref.index(1)]
    watched.read.clear()
    assert version_indices(version) is first
    assert watched.read == []


def test_an_index_that_is_not_the_manifests_is_refused(local_store: LocalStore, publish: World) -> None:
    ref, other = publish(local_store, seed=78), publish(local_store, seed=79)
    local_store.put(ref.index(1), local_store.get(other.index(0)), create_only=False)
    with pytest.raises(
        CorruptShard, match=r"00001\.parquet: it is not the object that the manifest names; `synth verify`"
    ):
        version_indices(Version.open(local_store, ref))
    local_store.put(ref.index(1), b"PAR1", create_only=False)
    with pytest.raises(CorruptShard, match=r"00001\.parquet"):
        version_indices(Version.open(local_store, ref))
