"""The store against the plain tools: publishing, reading, planning, and what a shard costs in requests.

    python benchmarks/store.py [--turns 15]

Publishing is `storage.ledger.commit_shard` against `tarfile` plus `boto3`'s ``upload_file`` of the same members; it
also writes reports, rejects and index, overwrites nothing, and has the server check every byte. Reading is
`storage.loader` against `webdataset` alone on the same tars; it also checks every film's SHA-256 and
parses every row. Both sides take turns on one SeaweedFS. ``ratio`` is our speed over theirs; a line that names a bar
is one that we hold ourselves to.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from storage import server
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard, committed_shards
from storage.loader import Part, SampleOrder, SampleStream, read_parts
from storage.records import GateRow, PairRow, ReportRow
from storage.s3 import S3Store
from storage.shards import Sample, sample_of

SHUFFLED = 256
REF = DatasetRef("benchmark", "v1")
PLAN = """
import resource, sys, time
from pathlib import Path
from tasks.plan.plan import make_plan
from tasks.recipe.profile import load_recipe

changes = [f"pairs={sys.argv[1]}", "shard_size=1000", "top_up=1.2", "reports.generator={kind: template}"]
changes.append(f"plan.target={sys.argv[3]}")
recipe = load_recipe("local", changes, Path(sys.argv[2]))
begun = time.perf_counter()
plan = make_plan(recipe, "0" * 64)
made = time.perf_counter() - begun
shards = sum(1 for number in range(0, len(plan.base_shards), len(plan.base_shards) // 50) if plan.shard(number))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(made, time.perf_counter() - begun, shards, peak)
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """Shards of one size: `samples` films of `film` bytes each."""

    name: str
    samples: int
    film: int
    shards: int


FULL = Shape("512 px films, 1000 a shard", 1000, 180_000, 2)  # as in the full profile
LOCAL = Shape("128 px films, 64 a shard", 64, 12_000, 20)  # as in the local profile


def make_shard(shape: Shape, number: int) -> list[Sample]:
    """Samples with films of random bytes, which compress as little as films do, and rows of the usual length."""
    rng = np.random.default_rng([number, shape.film])
    return [_sample(number * shape.samples + at, rng.bytes(shape.film)) for at in range(shape.samples)]


def _name(index: int) -> str:
    return f"0123abcd-{index:08d}"


def _sample(index: int, film: bytes) -> Sample:
    gates = [GateRow(gate=f"gate_{n}", score=n / 7, threshold=0.1, passed=True, model="m@r") for n in range(8)]
    mentions = [
        {"entity": f"disease/{n}", "phrase": "small left pleural effusion", "present": True, "side": "left"}
        for n in range(5)
    ]
    row = PairRow(
        sample_id=_name(index),
        index=index,
        findings="There is a small left pleural effusion. The heart is not enlarged. " * 4,
        impression="Small left pleural effusion.",
        entities=[str(mention["entity"]) for mention in mentions],
        mentions=mentions,
        labels={f"finding {n}": n % 2 for n in range(10)},
        report_seed=index,
        report_attempts=1,
        report_tokens=60,
        image_seed=index,
        image_attempts=1,
        png_sha256=hashlib.sha256(film).hexdigest(),
        gates=gates,
    )
    return sample_of(row, film)


def _reports(samples: Sequence[Sample]) -> list[ReportRow]:
    shared = ("sample_id", "index", "findings", "impression", "entities", "mentions")
    rest = {"seed": 0, "attempts": 1, "tokens": 60, "tokens_all_attempts": 60, "gates": []}
    return [ReportRow(**{name: sample.json[name] for name in shared}, **rest) for sample in samples]


def publish(store: S3Store, number: int, samples: Sequence[Sample]) -> int:
    """Ours: a whole shard, committed; the tar's size."""
    entry = commit_shard(store, REF, number, ShardContents(reports=_reports(samples), pairs=samples))
    assert entry.pairs is not None
    return entry.pairs.size


def upload(client: Any, bucket: str, key: str, samples: Sequence[Sample]) -> int:
    """Theirs: the same members, tarred into a file and uploaded."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for sample in samples:
                row = json.dumps(sample.json).encode()
                for extension, data in (("png", sample.png), ("txt", sample.txt.encode()), ("json", row)):
                    header = tarfile.TarInfo(f"{sample.key}.{extension}")
                    header.size = len(data)
                    tar.addfile(header, io.BytesIO(data))
        file.flush()
        client.upload_file(file.name, bucket, key)
        return Path(file.name).stat().st_size


def read_ours(store: S3Store, shape: Shape, shuffled: bool) -> int:
    """Samples of one epoch."""
    numbers = [range(number * shape.samples, (number + 1) * shape.samples) for number in range(shape.shards)]
    parts = [Part(REF.pairs(number), tuple(map(_name, indices))) for number, indices in enumerate(numbers)]
    if not shuffled:
        return sum(1 for _ in read_parts(store, parts))
    order = SampleOrder([[shape.samples] * shape.shards], seed=0, block=SHUFFLED)
    stream = SampleStream(store, [parts], order, lambda sample: len(sample.png))
    return sum(1 for _ in islice(stream.start_at(0), len(order)))


def read_theirs(store: S3Store, shape: Shape, shuffled: bool) -> int:
    """Samples of one pass of webdataset over presigned addresses, which it reads through curl."""
    import webdataset

    keys = [f"{store.prefix}/{REF.pairs(number)}" for number in range(shape.shards)]
    urls = [store.client.generate_presigned_url("get_object", Params={"Bucket": store.bucket, "Key": k}) for k in keys]
    samples = webdataset.WebDataset(urls, shardshuffle=100 if shuffled else False)  # type: ignore[attr-defined]
    return sum(1 for _ in (samples.shuffle(SHUFFLED, initial=SHUFFLED) if shuffled else samples))


def take_turns(
    name: str, unit: str, bar: float | None, ours: Callable[[int], float], theirs: Callable[[int], float], turns: int
) -> None:
    """Run both sides in turn, each first every other time, and print one line.

    `ours` and `theirs` take the number of the turn and return how much they did. The first turn only warms up.
    """
    speeds: dict[Callable[[int], float], list[float]] = {ours: [], theirs: []}
    for turn in range(turns + 1):
        for side in (ours, theirs) if turn % 2 else (theirs, ours):
            begun = time.perf_counter()
            speeds[side].append(side(turn) / (time.perf_counter() - begun))
    mine, other = speeds[ours][1:], speeds[theirs][1:]
    ratios = sorted(one / two for one, two in zip(mine, other, strict=True))
    low, high = (ratios[round(share * (turns - 1))] for share in (0.25, 0.75))
    told = f" (bar {bar})" if bar is not None else ""
    print(
        f"{name}: {median(mine):.1f} against {median(other):.1f} {unit}, "
        f"ratio {median(ratios):.2f} (half of {turns} turns: {low:.2f} to {high:.2f}){told}",
        flush=True,
    )


def measure_publishing(address: server.StoreAddress, shape: Shape, turns: int, bar: float | None) -> None:
    """MB/s of tars, one shard a turn."""
    samples = make_shard(shape, 0)
    store = address.store(f"publish-{shape.film}")
    store.check()  # connects; a process does that once
    take_turns(
        f"publish {shape.name} against tarfile + upload_file",
        "MB/s",
        bar,
        lambda turn: publish(store, turn, samples) / 1e6,
        lambda turn: upload(store.client, address.bucket, f"plain-{shape.film}/{turn}.tar", samples) / 1e6,
        turns,
    )


def measure_reading(address: server.StoreAddress, shape: Shape, turns: int, bar: float | None) -> None:
    """Samples per second, one epoch a turn; in order, and with a shuffle that holds as many samples on both sides."""
    store = address.store(f"read-{shape.film}")
    for number in range(shape.shards):
        publish(store, number, make_shard(shape, number))
    for how, shuffled in (("in order", False), ("shuffled", True)):
        take_turns(
            f"read {shape.name}, {how}, against webdataset",
            "samples/s",
            bar,
            lambda _, shuffled=shuffled: read_ours(store, shape, shuffled),
            lambda _, shuffled=shuffled: read_theirs(store, shape, shuffled),
            turns,
        )


@contextmanager
def counted(store: S3Store) -> Iterator[Counter[str]]:
    """Requests by method while the block runs."""
    seen: Counter[str] = Counter()

    def see(request: Any, **_: Any) -> None:
        seen[request.method] += 1

    store.client.meta.events.register("before-send.s3", see)
    try:
        yield seen
    finally:
        store.client.meta.events.unregister("before-send.s3", see)


def count_requests(address: server.StoreAddress) -> None:
    """Objects and requests per shard, by its size; and what finding all finished shards takes."""
    for samples in (8, 64, 512):
        shape = Shape("", samples, 1000, 1)
        store = address.store(f"count-{samples}")
        with counted(store) as seen:
            publish(store, 0, make_shard(shape, 0))
        objects = len(list(store.list(REF.prefix)))
        print(f"shard of {samples} samples: {objects} objects, {_told(seen)}")
        with counted(store) as seen:
            read_ours(store, shape, True)
        print(f"  reading it: {_told(seen)}")
    store = address.store("count-many")
    for number in range(200):
        commit_shard(store, REF, number, ShardContents(make_shard(Shape("", 1, 10, 1), number)))
        if number + 1 in (20, 200):
            with counted(store) as seen:
                committed_shards(store, REF)
            print(f"finding {number + 1} finished shards: {_told(seen)}")


def _told(seen: Counter[str]) -> str:
    return f"{sum(seen.values())} requests (" + ", ".join(f"{n} {method}" for method, n in sorted(seen.items())) + ")"


def measure_planning() -> None:
    """Seconds and peak memory of a process that plans, and looks at 50 shards from first to last."""
    profiles = Path(__file__).parents[1] / "flows" / "profiles"
    for pairs, target in ((200_000, "uniform"), (10_000_000, "uniform"), (10_000_000, "square_root")):
        command = [sys.executable, "-c", PLAN, str(pairs), str(profiles), target]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        made, looked, peak = float(told[0]), float(told[1]), float(told[3])
        print(
            f"plan {pairs:,} pairs, {target}: {made:.1f} s, with {told[2]} shards drawn {looked:.1f} s (bar 60), "
            f"peak memory {peak:.0f} MiB (bar 1024)",
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=15)
    turns = parser.parse_args().turns
    with tempfile.TemporaryDirectory() as folder:
        address = server.start(Path(folder))
        try:
            measure_publishing(address, FULL, turns, 0.9)
            measure_publishing(address, LOCAL, turns, None)
            measure_reading(address, FULL, turns, 1.0)
            measure_reading(address, LOCAL, turns, 1.0)
            count_requests(address)
        finally:
            server.stop(Path(folder))
    measure_planning()


if __name__ == "__main__":
    main()
