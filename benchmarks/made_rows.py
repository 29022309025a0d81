"""Rows of a large dataset version without its films, for benchmarks of what reads rows alone."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.phantom.vocabulary import KINDS, LABELS, Finding, phrase
from storage.layout import DatasetRef, measure_key
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest, ObjectEntry, PairRow, RejectRow, ShardEntry
from storage.tables import to_parquet
from tasks.curate.measure import encoder_of
from tasks.recipe.curation import Rules

SHARD = 2000
GATES = ("completeness", "no_extra_finding", "impression_consistency", "prompt_length", "finite", "contrast",
         "polarity", "two_lungs", "agreement")  # fmt: skip
THRESHOLD = 0.15
LIMIT = 1000
"""Characters; every made report has fewer, so that its length decides only where a threshold is asked for."""
_SCHEMA = pq.read_schema(io.BytesIO(to_parquet([], kind=PairRow)))
_CLEAR = "the lungs are clear", "the heart is of normal size", "no pneumothorax is seen", "the bones are intact"


def texts(count: int, rng: np.random.Generator) -> list[tuple[str, str, list[str]]]:
    """FINDINGS, IMPRESSION and labels of so many reports; common findings are common."""
    odds = 1 / np.arange(1, len(KINDS) + 1) ** 0.7
    rows = []
    for _ in range(count):
        chosen = rng.choice(len(KINDS), rng.integers(1, 5), replace=False, p=odds / odds.sum())
        phrases = [_phrase(int(number), rng) for number in chosen]
        clear = [_CLEAR[int(at)] for at in rng.permutation(len(_CLEAR))[: rng.integers(0, 4)]]
        findings = ". ".join([f"There is {words}" for words in phrases] + clear) + "."
        rows.append((findings, f"{', '.join(phrases)}.", [LABELS[int(number)] for number in chosen]))
    return rows


def _phrase(number: int, rng: np.random.Generator) -> str:
    kind = KINDS[number]
    side, zone, severity = (str(rng.choice(o)) if o else None for o in (kind.sides, kind.zones, kind.severities))
    return phrase(Finding(kind.name, side, zone, severity))


def publish(store: ObjectStore, ref: DatasetRef, count: int) -> Manifest:
    """A version of `count` rows, of which some share image or report and some fail a gate, and its neighbours."""
    rng = np.random.default_rng(1)
    shards = [_shard(store, ref, n, min(SHARD, count - n * SHARD), rng) for n in range(-(-count // SHARD))]
    _near(store, ref, count, rng)
    manifest = Manifest(
        dataset=ref.name, version=ref.version, fingerprint="made", created=datetime.now(UTC), asked=count,
        accepted=count, rejected=0, shards=shards, models={}, rejected_by_gate={}, entity_counts={},
    )  # fmt: skip
    return write_manifest(store, ref, manifest)


def _shard(store: ObjectStore, ref: DatasetRef, shard: int, count: int, rng: np.random.Generator) -> ShardEntry:
    rows, start = texts(count, rng), shard * SHARD
    images = np.where(rng.random(count) < 0.02, rng.integers(0, 500, count), np.arange(start, start + count) + 500)
    columns: dict[str, pa.Array] = {
        "sample_id": pa.array([f"made-{start + n:08d}" for n in range(count)]),
        "index": pa.array(np.arange(start, start + count)),
        "findings": pa.array([row[0] for row in rows]),
        "impression": pa.array([row[1] for row in rows]),
        "entities": pa.array([row[2] for row in rows]),
        "labels": pa.array([[(label, 1) for label in row[2]] for row in rows], _SCHEMA.field("labels").type),
        "png_sha256": pa.array([f"{int(image):064x}" for image in images]),
        "gates": _gates(count, rng, [LIMIT - len(f"{row[0]} | {row[1]}") for row in rows]),
    }
    for field in _SCHEMA:
        if field.name not in columns:
            columns[field.name] = pa.array([_empty(field)] * count, field.type)
    table = pa.Table.from_arrays([columns[field.name].cast(field.type) for field in _SCHEMA], schema=_SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue()
    digest = store.put(ref.index(shard), data)
    index = ObjectEntry(key=ref.relative(ref.index(shard)), size=len(data), sha256=digest, rows=count)
    empty = to_parquet([], kind=RejectRow)
    place = ref.rejects(shard)
    rejects = ObjectEntry(key=ref.relative(place), size=len(empty), sha256=store.put(place, empty), rows=0)
    return ShardEntry(shard=shard, pairs=None, index=index, rejects=rejects, accepted=count, rejected=0)


def _empty(field: pa.Field[Any]) -> Any:
    if field.nullable:
        return None
    many = pa.types.is_map(field.type) or pa.types.is_list(field.type)
    return "" if field.type == pa.string() else [] if many else 0


def _gates(count: int, rng: np.random.Generator, room: list[int]) -> pa.Array:
    scores = np.ones((count, len(GATES)))
    scores[:, GATES.index("prompt_length")] = room
    scores[:, -1] = rng.beta(4, 1.5, count)
    flat, total = scores.ravel(), count * len(GATES)
    thresholds = np.full(total, THRESHOLD)
    kind = _SCHEMA.field("gates").type
    parts = {
        "gate": pa.array(GATES * count),
        "score": pa.array(flat),
        "threshold": pa.array(thresholds),
        "passed": pa.array(flat >= thresholds),
        "reason": pa.array(["least sure of pleural effusion"] * total),
        "model": pa.array(["agreement@ba569bc9"] * total),
        "not_judged": pa.nulls(total, pa.int64()),
    }
    struct = pa.StructArray.from_arrays([parts[field.name] for field in kind.value_type], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(np.arange(0, total + 1, len(GATES)), pa.int32()), struct, type=kind)


def _near(store: ObjectStore, ref: DatasetRef, count: int, rng: np.random.Generator) -> None:
    """Measured neighbours as `tasks.curate.measure` keeps them: one pair in ten is like an earlier one."""
    spans = {"image": (-24, 0), f"film-{encoder_of(Rules()).revision}": (0.8, 1), "report": (0.8, 1)}
    for name, (low, high) in spans.items():
        later = np.sort(rng.choice(np.arange(1, count), count // 10, replace=False))
        alike = rng.uniform(low, high, len(later))
        columns = {"later": later, "earlier": (later * rng.random(len(later))).astype(np.int64),
                   "alike": (alike.round() if name == "image" else alike).astype(np.float32)}  # fmt: skip
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink, compression="zstd")
        store.put(measure_key(ref, "near", f"{name}.parquet"), sink.getvalue())
