"""Compare every accepted film of a version with what its generator was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from models.contracts import Encoder
from models.gates.memorisation import unlikeness
from models.gates.training_index import TrainingSetIndex
from storage.errors import CorruptShard
from storage.layout import measure_key
from storage.objects import get_or_make
from storage.png import decode_png
from storage.records import Record, ShardEntry
from storage.tables import from_parquet, to_parquet
from storage.versions import Version


class NeighbourRow(Record):
    """One film's nearest of the archive, see `models.gates.training_index.Neighbour`; `flagged` beyond the limit."""

    sample_id: str
    by_embedding: str
    cosine: float
    by_pixels: str
    correlation: float
    mirrored: bool
    score: float
    flagged: bool


def audit(
    version: Version,
    index: TrainingSetIndex,
    encoder: Encoder,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[NeighbourRow]:
    """The nearest archive film of every accepted film; shards that were compared before are not again.

    Raises:
        CorruptShard, ObjectMissing: from the store.
    """
    store, shards = version.store, version.manifest.shards
    rows: list[NeighbourRow] = []
    for done, entry in enumerate(shards):
        key = measure_key(version.ref, f"memorisation-{mark(index)}", f"{entry.shard:05d}.parquet")
        data = get_or_make(store, key, lambda e=entry: _shard(version, e, index, encoder))
        try:
            rows += from_parquet(data, NeighbourRow)
        except CorruptShard as error:
            raise CorruptShard(f"{store.uri(key)}: {error}; delete it, and it is measured again") from error
        if on_progress is not None:
            on_progress(done + 1, len(shards))
    return rows


def mark(index: TrainingSetIndex) -> str:
    """Ten digits that change with the archive, the encoder or the limit."""
    digest = hashlib.sha256(f"{index.encoder} {index.limit!r}".encode())
    digest.update(index.films.tobytes())
    return digest.hexdigest()[:10]


def _shard(version: Version, entry: ShardEntry, index: TrainingSetIndex, encoder: Encoder) -> bytes:
    samples = list(version.shard_samples(entry))
    near = index.nearest([decode_png(sample.png) for sample in samples], encoder)
    rows = [
        NeighbourRow(
            sample_id=sample.key,
            by_embedding=found.by_embedding,
            cosine=found.cosine,
            by_pixels=found.by_pixels,
            correlation=found.correlation,
            mirrored=found.mirrored,
            score=unlikeness(found, index.limit),
            flagged=found.correlation >= index.limit,
        )
        for sample, found in zip(samples, near, strict=True)
    ]
    return to_parquet(rows, kind=NeighbourRow)
