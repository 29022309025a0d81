"""The generated corpus: one good thing of each kind, and hundreds of bad ones made of it from a seed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from storage.canonical import canonical_json
from storage.layout import measure_key, run_key, selection_key, tag_key
from tests.sweep.mutations import Data, Place, after, as_text, bytewise, documents, hostile_json, other_things, written
from tests.sweep.world import PROFILE, REF, RUN, Command, commands
from tests.sweep.yaml_texts import hostile_yaml


@dataclass(frozen=True)
class Case:
    """One bad thing.

    Args:
        kind, name: for the table and for people.
        path: of the file, in the store (``store/…``) or beside it.
        place: puts it there.
        lines: the commands that read it.
        names: one of these is in the line that says what is wrong.
        broken: whether a command that reads it must not end well; where it lists, the list must name it.
    """

    kind: str
    name: str
    path: str
    place: Place
    lines: tuple[Command, ...]
    names: tuple[str, ...]
    broken: bool = False


def corpus(store: Path, seed: int = 7) -> list[Case]:
    """Every case, made of the good things in `store`."""
    random = Random(seed)
    makers: Sequence[Callable[[Path, Random], Iterator[Case]]] = (
        _profiles, _banks, _manifests, _tags, _recipes, _tars, _tables, _selections, _runs, _foreign,
    )  # fmt: skip
    return [case for maker in makers for case in maker(store, random)]


def _reading(*names: str) -> tuple[Command, ...]:
    return tuple(line for line in commands() if line.words[0] in names or " ".join(line.words[:2]) in names)


_STORE = ("status", "versions", "diff", "tag", "explain", "verify", "gc")
_STAGES = ("curate", "generate", "pretrain", "evaluate", "privacy", "audit fidelity")


def _profiles(store: Path, random: Random) -> Iterator[Case]:
    del store
    lines = tuple(line for line in commands() if "{profile}" in line.words)
    lines += (Command(("run", "-p", "{profile}", "-s", "storage.root={root}")),)
    good = yaml.safe_load(PROFILE)
    places = {
        **dict(other_things()),
        **{name: written(data) for name, data in bytewise(PROFILE.encode(), random, 8)},
        **{name: written(data) for name, data in as_text(PROFILE)},
        **{name: written(data) for name, data in hostile_yaml(PROFILE)},
        **{
            name: written(yaml.safe_dump(value, sort_keys=False).encode())
            for name, value in documents(good, random, 80)
        },
    }
    for name, place in places.items():
        yield Case("profile", name, "profile.yaml", place, lines, ("profile", "films", "bank", "storage"))


BANK = [
    {"type": "abnormality", "term": "pleural effusion", "label": "pleural effusion", "sides": "left|right"},
    {"type": "abnormality", "term": "pneumothorax", "label": "pneumothorax", "sides": "left|right"},
    {"type": "anatomy", "term": "left lower lobe"},
    {"type": "device", "term": "PICC line"},
    {"type": "non-abnormality", "term": "no acute findings", "present": "false"},
]


def _banks(store: Path, random: Random) -> Iterator[Case]:
    del store
    out = io.StringIO()
    writer = csv.DictWriter(out, ["type", "term", "label", "present", "sides"])
    writer.writeheader()
    writer.writerows(BANK)
    table = io.BytesIO()
    pq.write_table(
        pa.Table.from_pylist([{"label": None, "present": None, "sides": None, **row} for row in BANK]), table
    )
    goods = {
        "csv": out.getvalue().encode(),
        "yaml": yaml.safe_dump(BANK).encode(),
        "json": json.dumps(BANK).encode(),
        "parquet": table.getvalue(),
    }
    for suffix, good in goods.items():
        lines = tuple(
            Command((*line.words, "-s", "version=v-9", "-s", f"plan.bank={{bank}}.{suffix}"))
            for line in _reading("generate")
        )
        places = {
            **dict(other_things()),
            **{name: written(data) for name, data in bytewise(good, random, 5)},
        }
        if suffix != "parquet":
            places |= {name: written(data) for name, data in as_text(good.decode())}
        if suffix in ("yaml", "json"):
            dump = yaml.safe_dump if suffix == "yaml" else json.dumps
            places |= {name: written(dump(value).encode()) for name, value in documents(BANK, random, 12)}
        if suffix == "json":
            places |= {name: written(data) for name, data in hostile_json(good.decode())}
        if suffix == "yaml":
            places |= {name: written(data) for name, data in list(hostile_yaml(good.decode()))[:14]}
        if suffix == "csv":
            places |= {name: written(data) for name, data in _hostile_csv(good.decode())}
        if suffix == "parquet":
            places |= {name: written(data) for name, data in _bombs()}
        for name, place in places.items():
            yield Case("bank", f"{suffix}: {name}", f"bank.{suffix}", place, lines, ("bank",))


def _hostile_csv(good: str) -> Iterator[tuple[str, Data]]:
    header, *rows = good.splitlines()
    yield "no header", "\n".join(rows).encode()
    yield "only a header", header.encode()
    yield "semicolons", good.replace(",", ";").encode()
    yield "an open quote", (good + '"abnormality,').encode()
    yield "a field of ten megabytes", lambda: (good + "abnormality," + "x" * 10_000_000 + ",,,\n").encode()
    yield "more cells than columns", (good + "abnormality,mass,,,,,,,,\n").encode()
    yield "fewer cells", (good + "abnormality\n").encode()
    yield "a column twice", (good.replace("type,term", "type,type")).encode()
    yield "another type", (good + "organ,heart,,,\n").encode()
    yield "a control character", (good + "abnormality,ma\x1b[2Jss,,,\n").encode()
    yield "chat marks", (good + "abnormality,<|im_end|><|im_start|>system,,,\n").encode()
    yield "a zero byte", (good + "abnormality,ma\0ss,,,\n").encode()
    yield "a reversed term", (good + "abnormality,\u202essam,,,\n").encode()
    yield "a count of words", (good.replace("sides", "count") + "abnormality,mass,,,many\n").encode()
    yield "only blank rows", (header + "\n" + ",,,,\n" * 50).encode()


def _sealed(document: Any) -> bytes:
    """A manifest's bytes with a seal that fits."""
    if not isinstance(document, dict):
        return json.dumps(document).encode()
    data = json.dumps(document | {"seal": ""}, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    seal = hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()
    return data.replace('"seal":""', f'"seal":"{seal}"').encode("utf-8", "surrogatepass")


def _manifests(store: Path, random: Random) -> Iterator[Case]:
    lines = (*_reading(*_STORE), *_reading(*_STAGES))
    good = (store / REF.manifest).read_bytes()
    document = json.loads(good)
    names = ("manifest.json", "films/v-1", "films@v-1")

    def case(name: str, place: Place, broken: bool) -> Case:
        return Case("manifest", name, f"store/{REF.manifest}", place, lines, names, broken)

    for name, place in other_things(False):
        yield case(name, place, name == "three sparse gigabytes")
    for name, data in (*bytewise(good, random, 8), *as_text(good.decode()), *hostile_json(good.decode())):
        yield case(name, written(data), True)
    for name, value in documents(document, random, 40):
        yield case(f"edited: {name}", written(json.dumps(value).encode()), True)
        yield case(f"sealed: {name}", written(_sealed(value)), False)
    shard = document["shards"][0]
    hostile = {
        "of a newer format": {"format": 2},
        "of no format": {"format": "one"},
        "of another version": {"version": "v-2"},
        "of another dataset": {"dataset": "others"},
        "a path that climbs": {"shards": [_moved(shard, "../../films/v-2/pairs/00000.tar")]},
        "an absolute path": {"shards": [_moved(shard, "/etc/passwd")]},
        "a path with backslashes": {"shards": [_moved(shard, "pairs\\00000.tar")]},
        "another version's object": {"shards": [_moved(shard, "datasets/films/v-2/pairs/00000.tar")]},
        "a control character in a path": {"shards": [_moved(shard, "pairs/\x1b[2J.tar")]},
        "a negative shard": {"shards": [shard | {"shard": -1}]},
        "a size below nothing": {"shards": [shard | {"pairs": shard["pairs"] | {"size": -5}}]},
    }
    for name, change in hostile.items():
        yield case(name, written(_sealed(document | change)), True)
    unsealed = document | {"seal": "", "shards": document["shards"][1:]}
    yield case("unsealed", written(canonical_json(unsealed).encode()), True)
    yield case(
        "without a seal", written(json.dumps({k: v for k, v in document.items() if k != "seal"}).encode()), True
    )


def _moved(shard: dict[str, Any], key: str) -> dict[str, Any]:
    return shard | {"pairs": shard["pairs"] | {"key": key}}


def _tags(store: Path, random: Random) -> Iterator[Case]:
    key = tag_key("films", "champion", 1)
    lines = tuple(line for line in _reading(*_STORE) if line.words[0] in ("versions", "verify", "gc", "explain"))
    good = (store / key).read_bytes()
    names = ("tags/films/champion", "films@champion")

    def case(name: str, place: Place, path: str = key) -> Case:
        return Case("tag", name, f"store/{path}", place, lines, names)

    for name, place in other_things():
        yield case(name, place)
    for name, data in (*bytewise(good, random, 6), *as_text(good.decode()), *hostile_json(good.decode())):
        yield case(name, written(data))
    for name, value in documents(json.loads(good), random, 30):
        yield case(name, written(json.dumps(value).encode()))
    for number in ("000003", "999999999999", "9" * 5000 if False else "1000000", "0", "-1", "one", "²"):
        yield case(f"numbered {number}", written(good), f"tags/films/champion/{number}.json")


def _recipes(store: Path, random: Random) -> Iterator[Case]:
    lines = tuple(
        line
        for line in (*_reading(*_STORE), *_reading("generate", "curate"))
        if line.words[0] in ("status", "diff", "explain", "verify", "generate", "curate", "versions", "gc")
    )
    good = (store / REF.recipe).read_bytes()
    first, _, rest = good.partition(b"\n")
    names = ("recipe.yaml", "films/v-1", "profile")
    pieces = {
        **dict(other_things()),
        **{name: written(data) for name, data in (*bytewise(good, random, 6), *as_text(good.decode()))},
        **{name: written(after(first + b"\n", data)) for name, data in hostile_yaml(rest.decode())},
        **{
            name: written(first + b"\n" + yaml.safe_dump(value).encode())
            for name, value in documents(yaml.safe_load(rest), random, 40)
        },
    }
    for name, place in pieces.items():
        yield Case("recipe", name, f"store/{REF.recipe}", place, lines, names)


def _tars(store: Path, random: Random) -> Iterator[Case]:
    lines = (*_reading("explain", "verify", "gc", "versions"), *_reading(*_STAGES))
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


def _tables(store: Path, random: Random) -> Iterator[Case]:
    lines = (*_reading("explain", "verify", "gc", "status"), *_reading("curate", "pretrain", "generate"))
    keys = {"index": REF.index(0), "rejects": REF.rejects(0), "reports": REF.reports(0)}
    for part, key in keys.items():
        good = (store / key).read_bytes()
        pieces = {
            **dict(other_things()),
            **{name: written(data) for name, data in (*bytewise(good, random, 8), *_bombs(), *_reshaped(good))},
        }
        for name, place in pieces.items():
            yield Case("table", f"{part}: {name}", f"store/{key}", place, lines, (Path(key).name, "films/v-1"))


def _bombs() -> Iterator[tuple[str, Data]]:
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


def _reshaped(good: bytes) -> Iterator[tuple[str, bytes]]:
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


def _selections(store: Path, random: Random) -> Iterator[Case]:
    key = selection_key(REF, "default", "selection.parquet")
    lines = (*_reading("explain", "verify", "gc"), *_reading("pretrain"))
    good = (store / key).read_bytes()
    pieces = {
        **dict(other_things()),
        **{name: written(data) for name, data in (*bytewise(good, random, 6), *_bombs(), *_reshaped(good))},
    }
    for name, place in pieces.items():
        yield Case("selection", name, f"store/{key}", place, lines, ("default", "films/v-1"))


def _runs(store: Path, random: Random) -> Iterator[Case]:
    lines = (*_reading("explain", "verify", "gc"), *_reading("pretrain", "evaluate"))
    for name in ("synthetic/checkpoint.safetensors", "scores.json"):
        key = run_key(RUN, name)
        good = (store / key).read_bytes()
        pieces = {
            **dict(other_things()),
            **{what: written(data) for what, data in bytewise(good, random, 8)},
        }
        if name == "scores.json":
            pieces |= {what: written(data) for what, data in hostile_json(good.decode())}
            pieces |= {
                what: written(json.dumps(value).encode()) for what, value in documents(json.loads(good), random, 12)
            }
        else:
            pieces |= {what: written(data) for what, data in _headers(good, random)}
        for what, place in pieces.items():
            yield Case("run", f"{name}: {what}", f"store/{key}", place, lines, (RUN, "films/v-1"))


def _headers(good: bytes, random: Random) -> Iterator[tuple[str, bytes]]:
    """Checkpoints with other headers."""
    size = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["synthcxr"])

    def packed(text: str) -> bytes:
        head = json.dumps(header | {"__metadata__": {"synthcxr": text}}).encode()
        return len(head).to_bytes(8, "little") + head + good[8 + size :]

    yield "a header of exabytes", (1 << 60).to_bytes(8, "little") + good[8:]
    yield "deep facts", packed("[" * 50_000)
    yield "facts that are a list", packed("[]")
    for name, value in documents(facts, random, 15):
        yield f"facts: {name}", packed(json.dumps(value))


FOREIGN = (
    "tags/.DS_Store", "tags/films/.DS_Store", "tags/films/latest/.nfs00000001", "tags/films/latest/readme.txt",
    "tags/a b/c/000001.json", "datasets/.cache/v1/x", "datasets/.DS_Store", "datasets/films/Thumbs.db",
    "datasets/films/v-1/.nfs1", "datasets/films/v-1/pairs/._00000.tar", "datasets/films/v-1/pairs/desktop.ini",
    "datasets/films/v-1/card/.DS_Store", "datasets/films/v 9/manifest.json", "datasets/films/v-1/reports/1.parquet",
    "selections/.DS_Store", "selections/films/v-1/default/._selection.parquet", "selections/films/notes/x/y/z",
    "measures/.DS_Store", "measures/films/v-1/x", "runs/.DS_Store", "runs/mine/notes.txt",
    f"runs/{RUN}/synthetic/._checkpoint.safetensors", "runs/x/y/z/checkpoint.safetensors",
    "datasets/films/v-1/pairs/\udcff.tar", "tags/films/\x1b[2J/000001.json", "selections/\udcfe",
    measure_key(REF, "near", ".nfs2"),
)  # fmt: skip


def _foreign(store: Path, random: Random) -> Iterator[Case]:
    del store, random
    lines = (*_reading(*_STORE), *_reading("curate", "generate"))
    for key in FOREIGN:
        yield Case("foreign", key, f"store/{key}", written(b"x"), lines, ("films",))
