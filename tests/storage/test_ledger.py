"""A shard is committed exactly once, whoever dies when."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from storage.errors import CorruptShard, ShardConflict
from storage.layout import DatasetRef
from storage.ledger import (
    ShardContents,
    commit_shard,
    committed_shard,
    committed_shards,
    load_reports,
    publish_reports,
)
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.records import PairRow, RejectRow, ReportRow, ShardEntry
from storage.shards import Sample, read_samples
from storage.tables import from_parquet
from storage.versions import VersionPlace
from tasks.publish.dataset import ManifestFacts, make_manifest
from tests.storage.agreement import check_objects

pytestmark = pytest.mark.server
Make = Callable[..., Sample]
KINDS = ("reports", "rejects", "pairs", "index")


class PowerCut(BaseException):
    """What ends a process without any clean-up of ours."""


class Dying:
    """A store in front of a real one that dies right after its `last` write."""

    def __init__(self, store: ObjectStore, last: int) -> None:
        self.store, self.left = store, last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def put(self, key: str, data: bytes | Path, **options: Any) -> str:
        digest = self.store.put(key, data, **options)
        self.left -= 1
        if self.left == 0:
            raise PowerCut
        return digest


@pytest.fixture
def shard(
    make_pair: Make, make_reject: Callable[..., RejectRow], report_for: Callable[[Sample], ReportRow]
) -> dict[str, Any]:
    pairs = [make_pair(number) for number in range(6)]
    return {
        "reports": [report_for(pair) for pair in pairs],
        "pairs": pairs,
        "rejects": [make_reject(6), make_reject(7)],
        "seconds": {"reports": 1.5, "images": 3.0},
        "counts": {"planned": 8},
    }


def keys(store: ObjectStore, ref: DatasetRef) -> list[str]:
    return sorted(ref.relative(info.key) for info in store.list(f"{ref.prefix}/"))


def test_a_commit_is_found_again_and_agrees_with_its_objects(
    store: ObjectStore, ref: DatasetRef, shard: dict[str, Any]
) -> None:
    assert committed_shards(store, ref) == {}
    entry = commit_shard(store, ref, 3, ShardContents(**shard))
    assert (entry.accepted, entry.rejected, entry.counts) == (6, 2, {"planned": 8})
    assert committed_shards(store, ref) == {3: entry}
    assert committed_shard(store, ref, 3) == entry
    names = ["pairs/00003.parquet", "pairs/00003.tar", "rejects/00003.parquet", "reports/00003.parquet"]
    assert keys(store, ref) == names
    manifest = make_manifest(VersionPlace(store, ref), [entry], ManifestFacts(fingerprint="f", asked=6, models={}))
    check_objects(store, ref, write_manifest(store, ref, manifest), deep=True)
    rows = from_parquet(store.get(ref.index(3)), PairRow)
    assert [row.model_dump(mode="json") for row in rows] == [pair.json for pair in shard["pairs"]]


@pytest.mark.parametrize("last", [1, 2, 3, 4], ids=KINDS)
def test_a_shard_goes_on_where_it_was_killed(
    store: ObjectStore, ref: DatasetRef, shard: dict[str, Any], last: int
) -> None:
    with pytest.raises(PowerCut):
        commit_shard(cast(ObjectStore, Dying(store, last)), ref, 0, ShardContents(**shard))
    assert (committed_shard(store, ref, 0) is None) == (last < 4)
    before = {key: store.get(ref.key(key)) for key in keys(store, ref)}
    assert len(before) == last
    entry = commit_shard(store, ref, 0, ShardContents(**shard))
    assert committed_shards(store, ref) == {0: entry}
    assert {key: store.get(ref.key(key)) for key in before} == before
    assert len(keys(store, ref)) == 4


@pytest.mark.parametrize("last", [2, 3], ids=["rejects", "pairs"])
def test_an_earlier_attempt_that_drew_other_films_is_taken_as_it_is(
    store: ObjectStore,
    ref: DatasetRef,
    shard: dict[str, Any],
    make_pair: Make,
    make_reject: Callable[..., RejectRow],
    last: int,
) -> None:
    with pytest.raises(PowerCut):
        commit_shard(cast(ObjectStore, Dying(store, last)), ref, 0, ShardContents(**shard))
    later = dict(shard)  # sample 6 passed this time; sample 5 did not
    later["pairs"] = [*(make_pair(number, image_seed=1) for number in range(5)), make_pair(6)]
    later["rejects"] = [make_reject(5), make_reject(7)]
    later["reports"] = None
    if last == 2:
        with pytest.raises(ShardConflict, match="sample-00006"):  # its report is not among the stored ones
            commit_shard(store, ref, 0, ShardContents(**later))
    later["pairs"] = later["pairs"][:5]
    entry = commit_shard(store, ref, 0, ShardContents(**later))
    accepted = [row.sample_id for row in from_parquet(store.get(ref.index(0)), PairRow)]
    rejected = [row.sample_id for row in from_parquet(store.get(ref.rejects(0)), RejectRow)]
    assert not set(accepted) & set(rejected)
    assert rejected == ["sample-00006", "sample-00007"]
    assert [sample.key for sample in read_samples(store, [ref.pairs(0)])] == accepted
    if last == 2:
        assert len(accepted) == 5
        assert entry.counts["lost"] == 1  # sample 5: the dead attempt had accepted it, this one had not
    else:
        assert len(accepted) == 6
        assert "lost" not in entry.counts


def test_eight_racing_writers_commit_one_shard(store: ObjectStore, ref: DatasetRef, shard: dict[str, Any]) -> None:
    def commit(number: int) -> ShardEntry:
        own: dict[str, Any] = {**shard, "seconds": {"images": float(number)}}
        return commit_shard(store, ref, 0, ShardContents(**own))

    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(commit, range(8)))
    assert all(entry == entries[0] for entry in entries)
    assert committed_shards(store, ref) == {0: entries[0]}


def test_a_shard_of_which_nothing_was_accepted_has_no_tar(
    store: ObjectStore, ref: DatasetRef, make_reject: Callable[..., RejectRow]
) -> None:
    entry = commit_shard(store, ref, 0, ShardContents([], rejects=[make_reject(0)]))
    assert (entry.pairs, entry.reports, entry.accepted, entry.rejected) == (None, None, 0, 1)
    assert keys(store, ref) == ["pairs/00000.parquet", "rejects/00000.parquet"]


def test_stored_reports_are_used_again_with_the_samples_given_up(
    store: ObjectStore, ref: DatasetRef, shard: dict[str, Any], make_reject: Callable[..., RejectRow]
) -> None:
    assert load_reports(store, ref, 0) is None
    given_up = make_reject(9, "completeness").model_copy(update={"score": 0.25})
    stored = publish_reports(store, ref, 0, shard["reports"], [given_up])
    assert stored == load_reports(store, ref, 0) == (shard["reports"], [given_up])
    assert publish_reports(store, ref, 0, [], []) == stored


def test_pairs_of_other_reports_than_the_stored_ones_are_refused(
    store: ObjectStore, ref: DatasetRef, shard: dict[str, Any], make_pair: Make
) -> None:
    publish_reports(store, ref, 0, shard["reports"])
    others = [make_pair(0, findings="Something else."), *shard["pairs"][1:]]
    changed: dict[str, Any] = {**shard, "pairs": others}
    with pytest.raises(ShardConflict, match="sample-00000"):
        commit_shard(store, ref, 0, ShardContents(**changed))
    assert committed_shard(store, ref, 0) is None


def test_shards_may_be_many_and_out_of_order(local_store: ObjectStore, ref: DatasetRef, make_pair: Make) -> None:
    made: dict[int, ShardEntry] = {}
    for number in (12, 3, 100_000):
        made[number] = commit_shard(local_store, ref, number, ShardContents([make_pair(number)]))
    assert committed_shards(local_store, ref) == made
    assert list(committed_shards(local_store, ref)) == [3, 12, 100_000]


def test_a_damaged_index_or_tar_is_named(local_store: ObjectStore, ref: DatasetRef, shard: dict[str, Any]) -> None:
    local_store.put(ref.pairs(0), b"half a tar")
    with pytest.raises(CorruptShard, match=r"pairs/00000\.tar"):
        commit_shard(local_store, ref, 0, ShardContents(**shard))
    local_store.put(ref.index(1), b"PAR1")
    with pytest.raises(CorruptShard, match=r"pairs/00001\.parquet"):
        committed_shards(local_store, ref)
