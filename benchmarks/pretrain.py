"""Pretraining, ours against open_clip's loop, webdataset, and GLoRIA's loop over texts.

    python benchmarks/pretrain.py [--rounds 5] [--only loop store loading gloria processes]

loop: `models.training.trainer` against ``open_clip_train.train_one_epoch``, the same batches, loss and weights.
store: a training from tars in a store against ``train_one_epoch`` on webdataset with the same tars; ours also draws
views, which the other side does not. loading: the films alone, decoded. gloria: the similarities of a batch against a
loop over its texts, value and gradient. processes: two of one thread against one of one thread, without their start;
then with a loader worker, which in the one process takes the second core too.

Sides take turns, one thread each; a figure is the median over the rounds, ``ratio`` our speed over theirs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch

from benchmarks.pretrain_sides import (
    MadeArchive,
    gloria_in_chunks,
    gloria_text_by_text,
    load_by_webdataset,
    load_from_store,
    loop_of_open_clip,
    loop_of_ours,
    made_batches,
    made_regions,
    make_archive,
    train_from_store,
    train_in_processes,
    train_on_webdataset,
)

Side = Callable[[], float | tuple[float, float]]
"""Does the work and returns how much of it there was, and its seconds where starting it must not count."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two sides of one comparison; the bar is what ours must reach over theirs."""

    name: str
    ours: Side
    theirs: Side
    unit: str
    bar: float


def pairings(folder: Path, chosen: set[str]) -> Iterator[Pairing]:
    """The comparisons, each made when it is its turn."""
    if "loop" in chosen:
        batches = made_batches(steps=20, size=32)
        yield Pairing("loop", lambda: loop_of_ours(batches), lambda: loop_of_open_clip(batches), "pairs/s", 1.0)
    if chosen & {"store", "loading"}:
        yield from _of_archive(make_archive(folder, films=1024), chosen)
    if "gloria" in chosen:
        for side, width in ((6, 128), (19, 768)):
            yield _of_gloria(side, width)
    if "processes" in chosen:
        for workers, name in ((0, "processes"), (1, "processes, each with a loader worker")):
            yield _of_processes(name, workers)


def _of_archive(archive: MadeArchive, chosen: set[str]) -> Iterator[Pairing]:
    if "store" in chosen:
        ours, theirs = (lambda: train_from_store(archive, 1024)), (lambda: train_on_webdataset(archive, 1024))
        yield Pairing("store", ours, theirs, "pairs/s", 1.0)
    if "loading" in chosen:
        ours, theirs = (lambda: load_from_store(archive)), (lambda: load_by_webdataset(archive))
        yield Pairing("loading", ours, theirs, "films/s", 1.2)


def _of_processes(name: str, workers: int) -> Pairing:
    return Pairing(
        name, lambda: train_in_processes(2, workers), lambda: train_in_processes(1, workers), "pairs/s", 1.6
    )


def _of_gloria(side: int, width: int) -> Pairing:
    made = made_regions(batch=48, side=side, width=width)
    name = f"gloria, {side} x {side} regions of {width}"
    return Pairing(name, lambda: gloria_in_chunks(made), lambda: gloria_text_by_text(made), "batches/s", 2.0)


def measure(pairing: Pairing, rounds: int) -> tuple[float, float]:
    """Speeds of both sides, in turns after a round that does not count."""
    speeds: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        row = []
        for side in (pairing.ours, pairing.theirs):
            begun = time.perf_counter()
            done = side()
            done, seconds = done if isinstance(done, tuple) else (done, time.perf_counter() - begun)
            row.append(done / seconds)
        if number:
            speeds.append((row[0], row[1]))
    ours, theirs = zip(*speeds, strict=True)
    return median(ours), median(theirs)


def main() -> None:
    """Print a line a comparison."""
    names = ["loop", "store", "loading", "gloria", "processes"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for pairing in pairings(Path(folder), set(args.only)):
            ours, theirs = measure(pairing, args.rounds)
            print(
                f"{pairing.name}: ours {ours:.3g} {pairing.unit}, theirs {theirs:.3g}, ratio {ours / theirs:.2f} "
                f"(bar {pairing.bar})", flush=True,
            )  # fmt: skip


if __name__ == "__main__":
    main()
