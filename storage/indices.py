"""The rows in the indices of a published version, read once per version and process."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from storage.errors import CorruptShard
from storage.records import ShardEntry
from storage.shards import report_text
from storage.tables import read_columns, read_table_object
from storage.versions import Version

_READERS = 8
_VERSIONS = 8
_COLUMNS = ["sample_id", "findings", "impression"]


@dataclass(frozen=True, slots=True)
class TarIndex:
    """The samples of one tar, in its order: their ids and their reports as their ``.txt`` has them."""

    key: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]


_held: OrderedDict[str, tuple[TarIndex, ...]] = OrderedDict()
_lock = threading.Lock()


def version_indices(version: Version) -> tuple[TarIndex, ...]:
    """The indices of a version, tar by tar; those of the last few versions stay in memory.

    They are found again by the manifest's seal, which covers the SHA-256 of every index: what is kept is right for
    whoever holds the same manifest.

    Raises:
        ObjectMissing: an index is not there.
        CorruptShard: an index is not the object that the manifest names.
    """
    manifest = version.manifest
    with _lock:
        if manifest.seal and manifest.seal in _held:
            _held.move_to_end(manifest.seal)
            return _held[manifest.seal]
    shards = [shard for shard in manifest.shards if shard.pairs is not None]

    def read(shard: ShardEntry) -> TarIndex:
        return _index(version, shard)

    with ThreadPoolExecutor(_READERS) as pool:
        found = tuple(pool.map(read, shards))
    if manifest.seal:
        with _lock:
            _held[manifest.seal] = found
            while len(_held) > _VERSIONS:
                _held.popitem(last=False)
    return found


def _index(version: Version, shard: ShardEntry) -> TarIndex:
    store, ref = version.store, version.ref
    key = ref.key(shard.index.key)
    data = read_table_object(store, key)
    try:
        if hashlib.sha256(data).hexdigest() != shard.index.sha256:
            raise CorruptShard("it is not the object that the manifest names")
        columns = read_columns(data, _COLUMNS)
    except CorruptShard as error:
        raise CorruptShard(f"{store.uri(key)}: {error}; `synth verify` lists what else is damaged") from error
    ids, findings, impressions = (columns[name] for name in _COLUMNS)
    texts = tuple(report_text(*parts) for parts in zip(findings, impressions, strict=True))
    return TarIndex(ref.key(shard.pairs.key) if shard.pairs else "", tuple(ids), texts)
