"""Re-decide 200,000 samples: ours from the store against the same decision by hand in pandas and in DuckDB.

    python benchmarks/curate.py [--samples 200000] [--films 10000]

Writes a version of that many rows (nine gates, one to four findings, repeated reports and images, no pixels) and
its measured neighbours into a temporary folder, then times the default rules, another threshold, and all rules at
once, each from the store's bytes to the list of kept ids. The default rules are decided by hand too, and must keep
the same pairs. What is measured once per version is timed apart, on `--films` films, with its recall against a full
comparison. DuckDB takes part where it is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import made_rows
import numpy as np

from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.open import open_store
from storage.versions import Version
from tasks.curate.explain import explain
from tasks.curate.keep import decide
from tasks.curate.near import Edges, alike_films, alike_images, alike_reports
from tasks.recipe.curation import FILM_COSINE, IMAGE_BITS, Balance, Rules, Top, Utility

CASES = {
    "default rules": Rules(),
    "another threshold": Rules(thresholds={"agreement": 0.3}),
    "every rule": Rules(
        near_image=10, near_film=0.9, near_report=0.9, top=Top(share=0.9), utility=Utility(share=0.9, novelty=1),
        balance=Balance(tolerance=1.0), caps={"other": 20_000},
    ),
}  # fmt: skip


def by_pandas(folder: Path) -> list[str]:
    """The default rules by hand: gates, one pair an image, four a report."""
    import pandas as pd

    columns = ["sample_id", "png_sha256", "findings", "impression", "gates"]
    rows = pd.concat(
        [pd.read_parquet(p, columns=columns) for p in sorted(folder.glob("*.parquet"))], ignore_index=True
    )
    gates = pd.json_normalize(rows["gates"].explode().tolist())
    gates["row"] = rows.index.repeat(rows["gates"].str.len())
    passed = (gates["score"] >= gates["threshold"]).groupby(gates["row"]).all()
    rows = rows[passed]
    rows = rows[rows.groupby("png_sha256").cumcount() < 1]
    report = (rows["findings"] + " | " + rows["impression"]).str.lower().str.split().str.join(" ")
    return rows[rows.groupby(report).cumcount() < 4]["sample_id"].tolist()


def by_duckdb(folder: Path) -> list[str]:
    """The same in SQL, on as many threads as ours has."""
    duckdb = importlib.import_module("duckdb")
    sql = f"""
        with good as (
            select "index" as place, sample_id, png_sha256,
                trim(regexp_replace(lower(findings || ' | ' || impression), '\\s+', ' ', 'g')) as report
            from '{folder}/*.parquet'
            where len(list_filter(gates, lambda gate: not (gate.score >= gate.threshold))) = 0),
        images as (select *, row_number() over (partition by png_sha256 order by place) as copy from good),
        reports as (select *, row_number() over (partition by report order by place) as again
            from images where copy <= 1)
        select sample_id from reports where again <= 4 order by place"""
    with duckdb.connect(config={"threads": 1}) as base:
        return [row[0] for row in base.execute(sql).fetchall()]


def timed(call: Callable[[], list[str]], rounds: int) -> tuple[float, float, list[str]]:
    """Median seconds by the clock and by the processor, and the result."""
    clock, processor, result = [], [], []
    for _ in range(rounds):
        started, spent = time.perf_counter(), time.process_time()
        result = call()
        clock.append(time.perf_counter() - started)
        processor.append(time.process_time() - spent)
    return median(clock), median(processor), result


def redecide(store: ObjectStore, ref: DatasetRef, folder: Path, rounds: int) -> None:
    """Time the decisions and their rivals."""
    ours: dict[str, float] = {}
    kept: list[str] = []
    for name, rules in CASES.items():
        selections = []

        def decided(rules: Rules = rules, selections: list = selections) -> list[str]:
            selections.append(decide(Version.open(store, ref), rules)[1])
            return selections[-1].kept

        clock, ours[name], result = timed(decided, rounds)
        kept = result if name == "default rules" else kept
        print(f"ours, {name}: {clock:.2f} s ({ours[name]:.2f} s of processor), {len(result)} kept", flush=True)
        for line in explain(selections[-1]):
            print(f"    {line.rule:<22} saw {line.seen:>7} removed {line.removed:>6}")
    rivals = {"pandas": by_pandas} | ({"duckdb": by_duckdb} if importlib.util.find_spec("duckdb") else {})
    for name, rival in rivals.items():
        clock, spent, theirs = timed(lambda rival=rival: rival(folder), rounds)
        same = "the same pairs kept" if theirs == kept else f"OTHER PAIRS KEPT ({len(theirs)} against {len(kept)})"
        print(f"{name} by hand, default rules: {clock:.2f} s ({spent:.2f} s of processor), "
              f"ratio {spent / ours['default rules']:.2f}, {same}")  # fmt: skip


def measure(films: int) -> None:
    """Time what is measured once per version, with its recall on planted near copies."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(films, 224)).astype(np.float32)
    copies = films // 20
    vectors[-copies:] = vectors[:copies] + 0.3 * rng.normal(size=(copies, 224))
    hashes = rng.integers(0, 256, (films, 32), np.uint8)
    hashes[-copies:] = hashes[:copies]
    hashes[-copies:, 0] ^= 7
    reports = [text for texts in made_rows.texts(films, rng) for text in [f"{texts[0]} | {texts[1]}".lower()]]
    plain = (vectors - vectors.mean(0)) / vectors.std(0)
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    planted = {(films - copies + n, n) for n in range(copies)}
    jobs: dict[str, tuple[Callable[[], Edges], set[tuple[int, int]]]] = {
        f"embeddings at cosine {FILM_COSINE}": (lambda: alike_films(vectors), _full(plain)),
        f"hashes within {IMAGE_BITS} bits": (
            lambda: alike_images(hashes),
            planted,
        ),
        "reports": (lambda: alike_reports(reports), set()),
    }
    for name, (job, truth) in jobs.items():
        started = time.perf_counter()
        edges = job()
        seconds = time.perf_counter() - started
        found = set(zip(edges.later.tolist(), edges.earlier.tolist(), strict=True))
        recall = f", recall {len(found & truth) / len(truth):.4f} of {len(truth)}" if truth else ""
        print(f"measured once, {films} {name}: {seconds:.1f} s, {len(edges)} alike{recall}", flush=True)


def _full(plain: np.ndarray) -> set[tuple[int, int]]:
    """Every pair at the floor or nearer, by full comparison."""
    found: set[tuple[int, int]] = set()
    for start in range(0, len(plain), 1000):
        later, earlier = np.nonzero(plain[start : start + 1000] @ plain.T >= FILM_COSINE)
        found |= {(int(a) + start, int(b)) for a, b in zip(later, earlier, strict=True) if a + start > b}
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--films", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store, ref = open_store(folder), DatasetRef("curated", "v1")
        made_rows.publish(store, ref, args.samples)
        size = sum(info.size for info in store.list(f"{ref.prefix}/pairs/"))
        print(f"{args.samples} samples in {size / 1e6:.0f} MB of indices", flush=True)
        redecide(store, ref, Path(folder, ref.prefix, "pairs"), args.rounds)
    measure(args.films)


if __name__ == "__main__":
    main()
