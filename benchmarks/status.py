"""How long `synth status` takes for a version of many shards, in progress and published, on both kinds of store.

python -m benchmarks.status [--shards 10000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import yaml

from storage import server
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard, committed_shard, publish_reports
from storage.local import LocalStore
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest
from storage.versions import VersionPlace
from tasks.publish.dataset import open_version
from tasks.store.status import status

REF = DatasetRef("vast", "v-1")
SIZE = 20


def main() -> None:
    """Make the shards, ask for their status, print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=10_000)
    shards = parser.parse_args().shards
    print(f"{'store':<10} {'version':<12} {'shards':>7} {'counted':>8} {'seconds':>8} {'processor':>10}")
    with tempfile.TemporaryDirectory() as folder:
        _measure("folder", LocalStore(Path(folder, "store")), shards)
        address = server.start(Path(folder))
        try:
            _measure("seaweedfs", address.store(), shards)
        finally:
            server.stop(Path(folder))


def _measure(name: str, store: ObjectStore, shards: int) -> None:
    recipe = {"pairs": SIZE * shards, "shard_size": SIZE, "top_up": 1.0}
    open_version(VersionPlace(store, REF), yaml.safe_dump(recipe), "f" * 64)
    publish_reports(store, REF, 0, [])
    commit_shard(store, REF, 0, ShardContents([], counts={"planned": SIZE}))
    first = [(key, store.get(key(0))) for key in (REF.reports, REF.rejects, REF.index)]
    with ThreadPoolExecutor(16) as pool:
        copies = ((key(shard), data) for shard in range(1, shards) for key, data in first)
        list(pool.map(lambda copy: store.put(*copy), copies))
    _ask(name, "in progress", store)
    entry = committed_shard(store, REF, 0)
    assert entry is not None
    entries = [entry.model_copy(update={"shard": shard}) for shard in range(shards)]
    manifest = Manifest(
        dataset=REF.name, version=REF.version, fingerprint="f" * 64, created=datetime.now(UTC), asked=SIZE * shards,
        accepted=0, rejected=0, shards=entries, models={}, rejected_by_gate={}, entity_counts={},
    )  # fmt: skip
    write_manifest(store, REF, manifest)
    _ask(name, "published", store)


def _ask(name: str, version: str, store: ObjectStore) -> None:
    wall, processor = time.perf_counter(), time.process_time()
    found = status(VersionPlace(store, REF))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    print(f"{name:<10} {version:<12} {len(found.shards):>7} {len(found.counted):>8} {wall:>8.2f} {processor:>10.2f}")


if __name__ == "__main__":
    main()
