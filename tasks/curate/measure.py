"""Measure a version's films once, shard by shard: perceptual hash, embedding, and from them who is alike."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models import registry
from models.contracts import Encoder, ProgressCallback
from storage.errors import CorruptShard
from storage.layout import measure_key
from storage.objects import ObjectStore, get_or_make
from storage.png import decode_png
from storage.records import ShardEntry
from storage.tables import check_claims
from storage.versions import Version
from tasks.curate.near import Edges, Near, alike_films, alike_images, alike_reports
from tasks.curate.table import PairTable
from tasks.recipe.curation import Rules

HASH_SIDE = 16


def ensure_near(version: Version, table: PairTable, rules: Rules, on_progress: ProgressCallback | None = None) -> Near:
    """The neighbours that `rules` need: what the store holds, and what it lacks measured and kept there.

    Rules that need none cost nothing; new thresholds need no new measurement.

    Raises:
        CorruptShard: a stored measurement is damaged; the message names it.
        UnknownKind: `rules.encoder` is no encoder.
    """

    @cache
    def encoder() -> Encoder:
        return encoder_of(rules)

    @cache
    def films() -> dict[str, np.ndarray]:
        return measure_films(version, encoder(), on_progress)

    novelty = rules.utility is not None and rules.utility.novelty > 0
    wanted: dict[str, tuple[bool, Callable[[], Edges]]] = {
        "image": (rules.near_image is not None, lambda: alike_images(films()["hash"])),
        "film": (rules.near_film is not None or novelty, lambda: alike_films(films()["embedding"])),
        "report": (rules.near_report is not None, lambda: alike_reports(table.pairs["report"].to_list())),
    }
    found = {}
    for kind, (needed, make) in wanted.items():
        if needed:
            mark = f"-{encoder().revision}" if kind == "film" else ""
            found[kind] = _kept_edges(version.store, measure_key(version.ref, "near", f"{kind}{mark}.parquet"), make)
    return Near(**found)


def measure_films(
    version: Version, encoder: Encoder, on_progress: ProgressCallback | None = None
) -> dict[str, np.ndarray]:
    """``hash`` (n, 32) uint8 and ``embedding`` (n, d) float16 of a version's films, in the order of its pairs.

    Each shard is read once; a shard that is measured is not read again.
    """
    store, ref, shards = version.store, version.ref, version.manifest.shards
    parts = []
    for done, entry in enumerate(shards):
        key = measure_key(ref, encoder.revision, f"{entry.shard:05d}.parquet")
        data = get_or_make(store, key, lambda e=entry: _measured(version, e, encoder))
        parts.append(_table(data, store.uri(key), ("hash", "embedding")))
        if on_progress is not None:
            on_progress("measure films", done + 1, len(shards))
    if not parts:
        return {"hash": np.zeros((0, HASH_SIDE**2 // 8), np.uint8), "embedding": np.zeros((0, 1), np.float16)}
    whole = pa.concat_tables(parts)
    return {name: _rows(whole.column(name)) for name in ("hash", "embedding")}


def hash_films(films: Sequence[np.ndarray]) -> np.ndarray:
    """Perceptual hashes (n, 32) uint8: signs of the low frequencies, 16 x 16 bits (imagehash's ``phash``)."""
    import imagehash
    from PIL import Image

    bits = [imagehash.phash(Image.fromarray(film), hash_size=HASH_SIDE).hash.ravel() for film in films]
    return np.packbits(np.array(bits, bool).reshape(len(films), HASH_SIDE**2), axis=1)


def _measured(version: Version, entry: ShardEntry, encoder: Encoder) -> bytes:
    samples = list(version.shard_samples(entry))
    films = [decode_png(sample.png) for sample in samples]
    hashes, embeddings = hash_films(films), encoder.embed(films).astype(np.float16)
    columns = {
        "sample_id": pa.array([sample.key for sample in samples], pa.string()),
        "hash": _column(hashes, pa.uint8()),
        "embedding": _column(embeddings, pa.float16()),
    }
    return _parquet(pa.table(columns))


def _kept_edges(store: ObjectStore, key: str, make: Callable[[], Edges]) -> Edges:
    def made() -> bytes:
        edges = make()
        columns = {"later": edges.later, "earlier": edges.earlier, "alike": edges.alike}
        return _parquet(pa.table({name: pa.array(column) for name, column in columns.items()}))

    names = ("later", "earlier", "alike")
    table = _table(get_or_make(store, key, made), store.uri(key), names)
    return Edges(*(table.column(name).to_numpy() for name in names))


def encoder_of(rules: Rules) -> Encoder:
    """The encoder that `rules` ask for."""
    return registry.build(registry.ENCODERS, rules.encoder, rules.encoder_options)


def _column(rows: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel(), kind), rows.shape[1])


def _rows(column: pa.ChunkedArray) -> np.ndarray:
    flat: Any = column.combine_chunks()
    return flat.flatten().to_numpy(zero_copy_only=False).reshape(len(flat), -1)


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _table(data: bytes, where: str, columns: Sequence[str]) -> pa.Table:
    try:
        check_claims(data)
        return pq.read_table(io.BytesIO(data)).select(list(columns))
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        why = " ".join(str(error).split())
        raise CorruptShard(f"{where} is damaged ({why}): delete it, and it is measured again") from error
