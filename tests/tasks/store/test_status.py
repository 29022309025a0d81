"""What is done, missing and rejected, from the store alone, at once."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from storage.attempts import Attempts
from storage.errors import DatasetMissing
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard, committed_shard, publish_reports
from storage.local import LocalStore
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest, ReportRow
from storage.shards import Sample
from storage.versions import VersionPlace
from tasks.publish.dataset import RecipeChanged, open_version
from tasks.store.status import spans, status

World = Callable[..., DatasetRef]
SHARDS = 10_000


@pytest.mark.server
def test_a_run_that_stopped_halfway_shows_what_is_missing(
    store: ObjectStore, begin: World, make_pair: Callable[..., Sample], report_for: Callable[[Sample], ReportRow]
) -> None:
    ref = begin(store, 1, pairs=10)
    publish_reports(store, ref, 2, [report_for(make_pair(6))])
    found = status(VersionPlace(store, ref))
    assert not found.published
    assert (found.asked, found.accepted, found.top_up) == (10, 2, 2)
    assert [(s.reports, s.images, s.done) for s in found.shards] == [
        (True, True, True),
        (False, False, False),
        (True, False, False),
        (False, False, False),
    ]
    assert [s.planned for s in found.shards] == [3, 3, 3, 1]
    assert found.missing == [1, 2, 3]
    assert found.rejected == {"reports": 0, "images": 1}


@pytest.mark.server
def test_a_published_version_misses_nothing(store: ObjectStore, publish: World) -> None:
    found = status(VersionPlace(store, publish(store)))
    assert found.published
    assert found.missing == []
    assert (found.accepted, found.rejected) == (4, {"reports": 0, "images": 2})


def test_a_tar_without_its_index_is_not_committed(local_store: ObjectStore, begin: World) -> None:
    ref = begin(local_store)
    local_store.delete(ref.index(1))
    found = status(VersionPlace(local_store, ref))
    assert (found.shards[1].images, found.shards[1].done) == (True, False)


def test_a_top_up_shard_that_was_begun_is_shown(
    local_store: ObjectStore, begin: World, make_pair: Callable[..., Sample]
) -> None:
    ref = begin(local_store, 2, pairs=7, top_up=1.5)  # 3 base shards, then 4 samples more in 2
    commit_shard(local_store, ref, 4, ShardContents([make_pair(20)]))
    found = status(VersionPlace(local_store, ref))
    assert [s.shard for s in found.shards] == [0, 1, 2, 4]
    assert [s.planned for s in found.shards] == [3, 3, 1, 1]


def test_a_shard_of_which_nothing_passed_is_done(local_store: ObjectStore, begin: World) -> None:
    ref = begin(local_store, 0)
    commit_shard(local_store, ref, 0, ShardContents([]))
    assert status(VersionPlace(local_store, ref)).shards[0].done


def test_a_version_that_was_never_begun_is_told(local_store: ObjectStore) -> None:
    with pytest.raises(DatasetMissing, match="never begun"):
        status(VersionPlace(local_store, DatasetRef("films", "v1")))


def test_strange_files_beside_the_shards_do_no_harm(local_store: ObjectStore, begin: World) -> None:
    ref = begin(local_store)
    for name in ("reports/notes.txt", "pairs/readme", "pairs/00001.parquet.bak", "reports/²2.parquet"):
        local_store.put(ref.key(name), b"x")
    assert len(status(VersionPlace(local_store, ref)).shards) == 2


def test_numbers_are_told_in_spans() -> None:
    assert spans([]) == "none"
    assert spans([3]) == "3"
    assert spans([7, 0, 1, 2, 9, 10]) == "0-2, 7, 9-10"


@pytest.fixture(scope="module")
def vast(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalStore, DatasetRef]:
    """A version in progress of 10,000 shards: every object of one shard, linked under every number but two."""
    store = LocalStore(tmp_path_factory.mktemp("vast"))
    ref = DatasetRef("vast", "v-1")
    recipe = {"pairs": 20 * SHARDS, "shard_size": 20, "top_up": 1.0}
    open_version(VersionPlace(store, ref), yaml.safe_dump(recipe), "f" * 64)
    publish_reports(store, ref, 0, [])
    commit_shard(store, ref, 0, ShardContents([], counts={"planned": 20}))
    for key in (ref.reports, ref.index, ref.rejects):
        source = Path(store.folder, key(0))
        for shard in range(1, SHARDS - 1):
            os.link(source, Path(store.folder, key(shard)))
    return store, ref


def test_ten_thousand_shards_in_progress_are_told_within_two_seconds(vast: tuple[LocalStore, DatasetRef]) -> None:
    started = time.process_time(), time.perf_counter()
    found = status(VersionPlace(*vast))
    cpu, wall = time.process_time() - started[0], time.perf_counter() - started[1]
    assert found.missing == [SHARDS - 1]
    assert len(found.shards) == SHARDS
    assert min(cpu, wall) < 2  # processor time where the machine is shared


def _at(entry: str, shard: int) -> dict[str, object]:
    """The same entry as that of another shard."""
    return json.loads(entry.replace("/00000.", f"/{shard:05d}.")) | {"shard": shard}


def test_ten_thousand_published_shards_are_told_within_two_seconds(vast: tuple[LocalStore, DatasetRef]) -> None:
    store, ref = vast
    entry = committed_shard(store, ref, 0)
    assert entry is not None
    manifest = Manifest.model_validate(
        {
            "dataset": ref.name, "version": ref.version, "fingerprint": "f", "created": "2026-01-01T00:00:00Z",
            "asked": 1, "accepted": 0, "rejected": 0, "models": {}, "rejected_by_gate": {}, "entity_counts": {},
            "shards": [_at(entry.model_dump_json(), shard) for shard in range(SHARDS - 1)],
        }
    )  # fmt: skip
    write_manifest(store, ref, manifest)
    started = time.process_time(), time.perf_counter()
    found = status(VersionPlace(store, ref))
    cpu, wall = time.process_time() - started[0], time.perf_counter() - started[1]
    store.delete(ref.manifest)
    assert len(found.counted) == SHARDS - 1
    assert min(cpu, wall) < 2


@pytest.mark.parametrize(
    "recipe",
    [
        {"shard_size": 3},
        {"pairs": "six", "shard_size": 3},
        {"pairs": 6, "shard_size": 0},
        {"pairs": 6, "shard_size": [3]},
        {"pairs": 10**15, "shard_size": 1},
        {"pairs": 6, "shard_size": 3, "top_up": "much"},
    ],
)
def test_a_recipe_that_gives_no_number_of_shards_is_named(local_store: ObjectStore, recipe: dict[str, object]) -> None:
    ref = DatasetRef("films", "v-1")
    open_version(VersionPlace(local_store, ref), yaml.safe_dump(recipe), "f" * 64)
    with pytest.raises(RecipeChanged, match=r"recipe\.yaml does not give the number of samples"):
        status(VersionPlace(local_store, ref))


def test_shards_that_are_set_aside_are_shown_until_they_are_done(local_store: ObjectStore, begin: World) -> None:
    ref = begin(local_store, 1)
    for shard in (0, 1):
        while Attempts(local_store, ref).begin("images", shard) is not None:
            pass
    assert [record.shard for record in status(VersionPlace(local_store, ref)).aside] == [1]
