"""Curation from the store's rows, ours against Data-Juicer: score, length, near copies of reports by MinHash.

    python benchmarks/curate_peers.py [--samples 200000] [--similarity 0.8] [--python PEERS/bin/python]

Both sides get the same made rows and decisions: agreement from a score up, at most so many characters (a filter there,
the gate of the prompt's length here), one report of those that share `--similarity` of their runs of three words, by
128 permutations; then again with another score. Ours reads the dataset's indices with all nine gates; the peer a table
of text and the one score that decides, in one process, in its turbo mode and without its monitor.

A side runs in a process of its own and is timed inside it, after imports and a decision on few rows: start-up counts
for nobody. The peer groups whatever shares a band and ours compares each candidate, so the numbers kept agree within
`TOLERANCE` of the rows only; what a side leaves alike is counted. A peer that the interpreter of ``--python`` lacks is
left out, and the output says so. Measured with py-data-juicer 1.6.1. NeMo Curator 1.4.0 is no side: both its MinHash
and its exact deduplication import cuDF, which needs a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FEW, LONGEST, PERMUTATIONS, TOLERANCE, SCORES = 500, 300, 128, 0.05, (0.5, 0.6)
PLAIN = {"num_proc": None, "auto_op_parallelism": False, "turbo": True}
QUIET = {"OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1", "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"}
Decide = Callable[[str, float], list[str]]  # a version of the rows and the least score to the ids kept


def ours(folder: Path, similarity: float) -> Decide:
    """The rules of `tasks.curate`; wording is compared at the first decision and kept, as for every version."""
    from made_rows import LIMIT  # a benchmark beside this one

    from storage.layout import DatasetRef
    from storage.open import open_store
    from storage.versions import Version
    from tasks.curate.keep import decide
    from tasks.recipe.curation import Rules

    def kept(version: str, score: float) -> list[str]:
        least = {"agreement": score, "prompt_length": LIMIT - LONGEST}
        rules = Rules(thresholds=least, same_image=sys.maxsize, same_report=sys.maxsize, near_report=similarity)
        stored = Version.open(open_store(str(folder)), DatasetRef("peers", version))
        return decide(stored, rules)[1].kept

    return kept


def data_juicer(folder: Path, similarity: float) -> Decide:
    """Its three operators in the same order; bands and rows of the hash are its own choice for the similarity."""
    from data_juicer.core.data import NestedDataset  # type: ignore[import-not-found]
    from data_juicer.ops import load_ops  # type: ignore[import-not-found]
    from datasets import Dataset  # type: ignore[import-not-found]
    from loguru import logger  # type: ignore[import-not-found]

    logger.remove()

    def kept(version: str, score: float) -> list[str]:
        asked: dict[str, dict[str, Any]] = {
            "specified_numeric_field_filter": {"field_key": "agreement", "min_value": score},
            "text_length_filter": {"max_len": LONGEST},
            "document_minhash_deduplicator": {"jaccard_threshold": similarity, "num_permutations": PERMUTATIONS,
                                              "window_size": 3, "ignore_pattern": r"[^\w\s]"},
        }  # fmt: skip
        rows = NestedDataset(Dataset.from_parquet(str(folder / f"{version}.parquet"), cache_dir=str(folder / "cache")))
        ops = load_ops([{name: options | PLAIN} for name, options in asked.items()])
        return list(rows.process(ops, open_monitor=False)["sample_id"])

    return kept


def take_part(side: str, folder: Path, similarity: float) -> None:
    """Be one side: decide on all rows with each score; write seconds by the clock, of the processor, and ids."""
    decide, found = (ours if side == "ours" else data_juicer)(folder, similarity), []
    decide("few", SCORES[0])
    for score in SCORES:
        clock, processor = time.perf_counter(), time.process_time()
        ids = decide("all", score)
        found.append((time.perf_counter() - clock, time.process_time() - processor, ids))
    (folder / f"{side}.json").write_text(json.dumps(found), encoding="utf-8")


def prepare(folder: Path, version: str, samples: int) -> tuple[Any, Path]:
    """Publish the rows, with the peer's table of them; that table, and where ours will keep their likeness."""
    import made_rows
    import polars as pl

    from storage.layout import DatasetRef, measure_key
    from storage.open import open_store
    from storage.versions import Version
    from tasks.curate.table import read_table

    store, ref = open_store(str(folder)), DatasetRef("peers", version)
    table = read_table(Version(store, ref, made_rows.publish(store, ref, samples)))
    near = folder / measure_key(ref, "near", "report.parquet")
    near.unlink()  # made as well: here it is to be measured
    rows = table.pairs.select("sample_id", text="report", agreement=pl.lit(table.scores("agreement")))
    rows.write_parquet(folder / f"{version}.parquet")
    return rows, near


def left_alike(rows: Any, near: Path, kept: list[str], similarity: float) -> int:
    """How many kept reports have an earlier kept one alike, word for word or by the comparison that ours made."""
    import polars as pl

    texts = rows.filter(pl.col("sample_id").is_in(kept))["text"].unique()
    held = rows["text"].is_in(texts.to_list()).to_numpy()
    close = pl.read_parquet(near).filter(pl.col("alike") >= similarity)
    both = held[close["later"].to_numpy()] & held[close["earlier"].to_numpy()]
    return len(kept) - len(texts) + close.filter(pl.Series(both))["later"].n_unique()


def main() -> None:
    """Run the sides one at a time and print; with ``--side``, be one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--similarity", type=float, default=0.8)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the peer")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        take_part(args.side[0], Path(args.side[1]), args.similarity)
        return
    pythons, own = {"ours": sys.executable, "data-juicer": args.python}, []
    if subprocess.run([args.python, "-c", "import data_juicer"], capture_output=True, check=False).returncode:
        print(f"data-juicer is left out: {pythons.pop('data-juicer')} cannot import it")
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name), "few", FEW)
        rows, near = prepare(Path(name), "all", args.samples)
        for side, python in pythons.items():
            command = [python, __file__, "--side", side, name, "--similarity", str(args.similarity)]
            subprocess.run(command, env=os.environ | QUIET, check=True)
            found = json.loads(Path(name, f"{side}.json").read_text(encoding="utf-8"))
            own = own or found
            for score, (clock, spent, kept), (_, base, mine) in zip(SCORES, found, own, strict=True):
                more, fewer = len(set(kept) - set(mine)), len(set(mine) - set(kept))
                gap, alike = abs(more - fewer) / args.samples, left_alike(rows, near, kept, args.similarity)
                agrees = "within" if gap <= TOLERANCE else "BEYOND"
                print(f"{side}, score from {score}: {clock:.2f} s, {args.samples / spent:,.0f} rows/s of processor, "
                      f"ratio {spent / base:.2f}; {len(kept)} kept, {alike} alike to an earlier one; {more} more and "
                      f"{fewer} fewer than ours, net {gap:.2%} ({agrees} {TOLERANCE:.0%})", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
