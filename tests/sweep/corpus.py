"""The generated corpus: one good thing of each kind, and hundreds of bad ones made of it from a seed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from storage.canonical import canonical_json
from storage.layout import checkpoint_key, measure_key, run_key, selection_key, tag_key, trial_key
from tasks.recipe.training import TrainSection
from tests.sweep.cases import STAGES, STORE, Case, reading
from tests.sweep.mutations import Data, Place, after, as_text, bytewise, documents, hostile_json, other_things, written
from tests.sweep.packed import bombs, reshaped, tables, tars
from tests.sweep.world import PROFILE, REF, RUN, Command, commands, trial
from tests.sweep.yaml_texts import hostile_yaml


def corpus(store: Path, seed: int = 7) -> list[Case]:
    """Every case, made of the good things in `store`."""
    random = Random(seed)
    makers: Sequence[Callable[[Path, Random], Iterator[Case]]] = (
        _good, _profiles, _banks, _manifests, _tags, _recipes, tars, tables, _selections, _runs, _foreign,
    )  # fmt: skip
    return [case for maker in makers for case in maker(store, random)]


def _good(store: Path, random: Random) -> Iterator[Case]:
    """Nothing wrong: what is refused below is refused for its fault."""
    del store, random
    yield Case("good", "as it is", "profile.yaml", written(PROFILE.encode()), tuple(commands()), ("films", "s-0000"))


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
            for line in reading("generate", "check")
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
            places |= {name: written(data) for name, data in bombs()}
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
    lines = (*reading(*STORE), *reading(*STAGES))
    good = (store / REF.manifest).read_bytes()
    document = json.loads(good)
    names = ("manifest.json", "films/v-1", "films@v-1", "no version 'v-1'")

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
    lines = tuple(line for line in reading(*STORE) if line.words[0] in ("versions", "verify", "gc", "explain"))
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
        for line in (*reading(*STORE), *reading("generate", "curate"))
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


def _selections(store: Path, random: Random) -> Iterator[Case]:
    key = selection_key(REF, "default", "selection.parquet")
    lines = (*reading("explain", "verify", "gc"), *reading("pretrain"))
    good = (store / key).read_bytes()
    pieces = {
        **dict(other_things()),
        **{name: written(data) for name, data in (*bytewise(good, random, 6), *bombs(), *reshaped(good))},
    }
    for name, place in pieces.items():
        yield Case("selection", name, f"store/{key}", place, lines, ("default", "films/v-1"))


def _runs(store: Path, random: Random) -> Iterator[Case]:
    lines = (*reading("explain", "verify", "gc"), *reading("pretrain", "evaluate"))
    held = trial().fingerprint(TrainSection(batch=64))
    keys = (checkpoint_key(held, 1), trial_key(held), run_key(RUN, "trials.json"), run_key(RUN, "scores.json"))
    for key in keys:
        name = key.rpartition("/")[2]
        good = (store / key).read_bytes()
        pieces = {
            **dict(other_things()),
            **{what: written(data) for what, data in bytewise(good, random, 8)},
        }
        if name.endswith(".json"):
            pieces |= {what: written(data) for what, data in hostile_json(good.decode())}
            pieces |= {
                what: written(json.dumps(value).encode()) for what, value in documents(json.loads(good), random, 12)
            }
        else:
            pieces |= {what: written(data) for what, data in _headers(good, random)}
        for what, place in pieces.items():
            yield Case("run", f"{name}: {what}", f"store/{key}", place, lines, (RUN, "films/v-1", key))


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
    lines = (*reading(*STORE), *reading("curate", "generate"))
    for key in FOREIGN:
        yield Case("foreign", key, f"store/{key}", written(b"x"), lines, ("films",))
