"""Which pairs are alike, measured once per version, so that any threshold can be decided on afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.recipe.curation import FILM_COSINE, IMAGE_BITS, REPORT_JACCARD

FIRST, MOST = 16, 1024
"""Neighbours searched first, and at most where more are near: copies of one film beyond these are found in part."""
THREADS = 1  # neighbours found by several threads at once would differ from run to run
PERMUTATIONS, BANDS = 128, 16  # 16 bands of 8: a pair at 0.8 is seen with 95 %, at 0.9 with 99.99 %


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs that are alike: arrays (e,) of `later` and `earlier` rows and how `alike` they are, sorted by `later`."""

    later: np.ndarray
    earlier: np.ndarray
    alike: np.ndarray

    def __len__(self) -> int:
        return len(self.later)


@dataclass(frozen=True, slots=True)
class Near:
    """What was measured: films by hash (`image`, minus the differing bits), by embedding, reports by wording."""

    image: Edges | None = None
    film: Edges | None = None
    report: Edges | None = None

    def need(self, kind: str) -> Edges:
        """The edges of `kind`.

        Raises:
            ValueError: they were not measured.
        """
        edges = getattr(self, kind)
        if edges is None:
            raise ValueError(f"a rule needs near-{kind} neighbours, which were not measured: see `ensure_near`")
        return edges


def alike_images(hashes: np.ndarray) -> Edges:
    """Films by perceptual hash (n, 32) uint8: `alike` is minus the number of differing bits."""
    from usearch.compiled import MetricKind, ScalarKind
    from usearch.index import Index

    index = Index(ndim=8 * hashes.shape[1], metric=MetricKind.Hamming, dtype=ScalarKind.B1)
    return _search(index, hashes, lambda bits: -bits, -float(IMAGE_BITS))


def alike_films(embeddings: np.ndarray) -> Edges:
    """Films by embedding (n, d), standardised over all of them: `alike` is the cosine."""
    from usearch.compiled import MetricKind, ScalarKind
    from usearch.index import Index

    plain = embeddings.astype(np.float32)
    if len(plain):
        plain = (plain - plain.mean(0)) / np.maximum(plain.std(0), 1e-6)
    index = Index(ndim=plain.shape[1], metric=MetricKind.Cos, dtype=ScalarKind.F16)
    return _search(index, plain, lambda distance: 1 - distance, FILM_COSINE)


def alike_reports(reports: Sequence[str]) -> Edges:
    """Distinct reports by the Jaccard index of their runs of three words, candidates found by MinHash.

    Rows are first occurrences of a report; its repeats stand with it.
    """
    from datasketch import MinHash, MinHashLSH

    from models.gates.text.duplicates import word_runs

    first: dict[str, int] = {}
    for row, text in enumerate(reports):
        first.setdefault(text, row)
    runs = {row: word_runs(text) for text, row in first.items()}
    index: Any = MinHashLSH(num_perm=PERMUTATIONS, params=(BANDS, PERMUTATIONS // BANDS))
    sketches = MinHash.generator(([run.encode() for run in own] for own in runs.values()), num_perm=PERMUTATIONS)
    found: list[tuple[int, int, float]] = []
    for row, sketch in zip(runs, sketches, strict=True):
        for other in sorted(index.query(sketch))[:MOST]:
            shared = len(runs[row] & runs[other])
            alike = shared / (len(runs[row]) + len(runs[other]) - shared)
            if alike >= REPORT_JACCARD:
                found.append((row, other, alike))
        index.insert(row, sketch, check_duplication=False)
    columns = np.array(found, np.float64).reshape(-1, 3)
    return _edges(columns[:, 0].astype(np.int64), columns[:, 1].astype(np.int64), columns[:, 2])


def _search(index: Any, vectors: np.ndarray, alike: Callable[[np.ndarray], np.ndarray], least: float) -> Edges:
    """Every two rows at least `least` alike, as far as the approximate index finds them.

    A row whose every neighbour is alike is asked again for four times as many: copies come in crowds.
    """
    rows = np.arange(len(vectors))
    if len(vectors) < 2:
        return _edges(rows[:0], rows[:0], np.zeros(0))
    index.add(rows, vectors, threads=THREADS)
    pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    asking, count = rows, FIRST
    while len(asking):
        count = min(count, len(vectors))
        found = index.search(vectors[asking], count, threads=THREADS)
        keys = found.keys.reshape(len(asking), -1).astype(np.int64)
        likeness = alike(found.distances.reshape(len(asking), -1).astype(np.float64))
        full = np.all(likeness >= least, axis=1) & (count < min(MOST, len(vectors)))
        close = (likeness >= least) & ~full.reshape(-1, 1)
        own = np.broadcast_to(asking[:, None], keys.shape)[close]
        pairs.append((np.maximum(own, keys[close]), np.minimum(own, keys[close]), likeness[close]))
        asking, count = asking[full], 4 * count
    later, earlier, values = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return _edges(later, earlier, values)


def _edges(later: np.ndarray, earlier: np.ndarray, alike: np.ndarray) -> Edges:
    """Edges by the later row, the most alike first, each once and none from a row to itself."""
    later, earlier, alike = (column[later != earlier] for column in (later, earlier, alike))
    order = np.lexsort((earlier, -alike, later))
    later, earlier, alike = (column[order] for column in (later, earlier, alike))
    _, once = np.unique(np.stack([later, earlier]), axis=1, return_index=True)
    once.sort()
    return Edges(later[once], earlier[once], alike[once].astype(np.float32))
