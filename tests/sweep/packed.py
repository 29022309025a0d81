"""Damaged tars and tables: hostile members and rows, other columns, and small files that unpack to much."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.sweep.cases import STAGES, Case, reading
from tests.sweep.mutations import Data, Place, bytewise, other_things, written
from tests.sweep.world import REF


def tars(store: Path, random: Random) -> Iterator[Case]:
    lines = (*reading("explain", "verify", "gc", "versions"), *reading(*STAGES))
    good = (store / REF.pairs(0)).read_bytes()
    names = ("pairs/00000", "s-0000", "films/v-1")

    def case(name: str, place: Place) -> Case:
        return Case("tar", name, f"store/{REF.pairs(0)}", place, lines, names)

    for name, place in other_things():
        yield case(name, place)
    for name, data in bytewise(good, random, 12):
        yield case(name, written(data))
    for name, member in _members().items():
        yield case(name, written(_packed([member])))
        yield case(f"{name}, at the end", written(good.rstrip(b"\0") + _packed([member])))
    for name, row in _rows(good):
        yield case(name, written(row))


def _members() -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    def member(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for field, value in fields.items():
            setattr(info, field, value)
        return info, data

    return {
        "a link": member("s-00000.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        "a hard link": member("s-00000.png", type=tarfile.LNKTYPE, linkname="s-00001.png"),
        "a device": member("s-00000.png", type=tarfile.CHRTYPE),
        "a path that climbs": member("../../../tmp/x.png", b"x"),
        "an absolute path": member("/tmp/x.png", b"x"),
        "no ending": member("s-00000", b"x"),
        "a control character": member("s-\x1b[2J.png", b"x"),
        "a claim of gigabytes": member("s-00000.png", b"", size=7 << 30),
        "a long name": member("s" * 300 + ".png", b"x"),
        "a film that is no image": member("s-00000.png", b"no image"),
    }


def _packed(members: Sequence[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    data = b"".join(info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512) for info, content in members)
    return data + bytes(1024 + -(len(data) + 1024) % tarfile.RECORDSIZE)


def _rows(good: bytes) -> Iterator[tuple[str, bytes]]:
    """The same tar with another JSON member in its first sample."""
    held = []
    with tarfile.open(fileobj=io.BytesIO(good)) as tar:
        for info in tar.getmembers():
            stream = tar.extractfile(info)
            held.append((info, stream.read() if stream else b""))
    at = next(number for number, (info, _) in enumerate(held) if info.name.endswith(".json"))
    row = json.loads(held[at][1])
    variants = {
        "a row that is a list": b"[]",
        "a row that is nothing": b"null",
        "a deep row": b"[" * 50_000,
        "a row without labels": json.dumps({k: v for k, v in row.items() if k != "labels"}).encode(),
        "a row of other labels": json.dumps(row | {"labels": {"pneumothorax": "yes"}}).encode(),
        "a row of another film": json.dumps(row | {"png_sha256": "0" * 64}).encode(),
        "a row that is no text": b"\xff\xfe{}",
        "a row with digits": json.dumps(row).replace('"index": 0', '"index": ' + "9" * 5000).encode(),
    }
    for name, data in variants.items():
        info = tarfile.TarInfo(held[at][0].name)
        info.size = len(data)
        yield name, _packed([*held[:at], (info, data), *held[at + 1 :]])


def tables(store: Path, random: Random) -> Iterator[Case]:
    lines = (*reading("explain", "verify", "gc", "status"), *reading("curate", "pretrain", "generate"))
    keys = {"index": REF.index(0), "rejects": REF.rejects(0), "reports": REF.reports(0)}
    for part, key in keys.items():
        good = (store / key).read_bytes()
        pieces = {
            **dict(other_things()),
            **{name: written(data) for name, data in (*bytewise(good, random, 8), *bombs(), *reshaped(good))},
        }
        for name, place in pieces.items():
            yield Case("table", f"{part}: {name}", f"store/{key}", place, lines, (Path(key).name, "films/v-1"))


def bombs() -> Iterator[tuple[str, Data]]:
    def packed(columns: dict[str, Any]) -> bytes:
        sink = io.BytesIO()
        pq.write_table(pa.table(columns), sink, compression="zstd")
        return sink.getvalue()

    yield "ten million equal rows", lambda: packed({"sample_id": pa.array(["s"] * 10_000_000)})
    yield "a text of a hundred megabytes", lambda: packed({"sample_id": ["x" * (100 << 20)]})
    yield "a long text two hundred times", lambda: packed({"sample_id": pa.array(["x" * (1 << 20)] * 200)})
    yield "no column", packed({})
    yield "no row", packed({"sample_id": pa.array([], pa.string())})
    yield "other columns", packed({"a": [1], "b": ["x"]})
    deep = pa.array([1])
    for _ in range(60):
        deep = pa.ListArray.from_arrays([0, 1], deep)
    yield "lists in lists", packed({"sample_id": deep})


def reshaped(good: bytes) -> Iterator[tuple[str, bytes]]:
    table = pq.read_table(io.BytesIO(good))
    metadata = table.schema.metadata or {}

    def packed(changed: pa.Table) -> bytes:
        sink = io.BytesIO()
        pq.write_table(changed.replace_schema_metadata(metadata), sink, compression="zstd")
        return sink.getvalue()

    yield "ids are numbers", packed(table.set_column(0, "sample_id", pa.array(range(len(table)))))
    yield "ids are missing", packed(table.set_column(0, "sample_id", pa.nulls(len(table), pa.string())))
    yield "ids steer the terminal", packed(table.set_column(0, "sample_id", pa.array(["\x1b[2J"] * len(table))))
    yield "a column less", packed(table.drop_columns([table.column_names[2]]))
    yield "a column more", packed(table.append_column("surprise", pa.array([1] * len(table))))
    yield "every row twice", packed(pa.concat_tables([table, table]))
    yield "no rows", packed(table.slice(0, 0))
    if "mentions" in table.column_names:
        at = table.column_names.index("mentions")
        for name, text in (("no JSON", "{"), ("deep", "[" * 50_000), ("numbers", "7"), ("odd", '[{"a": 1}]')):
            yield f"mentions {name}", packed(table.set_column(at, "mentions", pa.array([text] * len(table))))
    metadata = dict.fromkeys(metadata, b'{"shard": "none"}')
    yield "other metadata", packed(table)
    metadata = dict.fromkeys(metadata, b"[" * 50_000)
    yield "deep metadata", packed(table)
    metadata = dict.fromkeys(metadata, b"\xff\xfe")
    yield "metadata that is no text", packed(table)
    metadata = {}
    yield "no metadata", packed(table)
