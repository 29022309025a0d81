"""Pairs of entities that a corpus had every chance to show together and never did.

A pair is expected in ``count a * count b / reports`` reports if its two had nothing to do with each other. Where
that is at least `LEAST_EXPECTED` and the corpus has none, chance is no explanation (e**-10 a pair) and the plan
refuses it. Rarer pairs say nothing and stay allowed: most of a bank's tail.

The file is a Parquet table with a row for every pair that was expected often enough: `first` and `second` (ids
of entities such as ``disease/pneumothorax``), `expected`, and `observed` (reports that have both).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.contracts import Entity
from tasks.plan.errors import PlanError
from tasks.plan.terms import unfit

LEAST_EXPECTED = 10.0
SHOWN = 3
COLUMNS = ("first", "second", "expected", "observed")


@dataclass(frozen=True, slots=True)
class Cooccurrence:
    """Counts in a corpus of pairs that it was expected to hold.

    Args:
        reports: how many there were.
        ids: entity ids, sorted.
        pairs: (n, 2) positions in `ids`, first below second.
        expected, observed: (n,) reports with both, by independence and in truth.
    """

    reports: int
    ids: tuple[str, ...]
    pairs: np.ndarray
    expected: np.ndarray
    observed: np.ndarray

    @property
    def never(self) -> int:
        """How many pairs were expected and are in no report."""
        return int((self.observed == 0).sum())


def learn(reports: Iterable[Iterable[str]], least: float = LEAST_EXPECTED) -> Cooccurrence:
    """Count the pairs of a corpus.

    Only entities that are common enough for any pair are compared, and only as sparse matrices.

    Args:
        reports: the entity ids of each report; read once.
        least: least expected reports of a pair that is kept.

    Raises:
        PlanError: no report, or `least` is not above 0.
    """
    from scipy import sparse

    if least <= 0:
        raise PlanError(f"the least expected count is {least}: it must be above 0")
    numbers: dict[str, int] = {}
    said = [sorted({numbers.setdefault(name, len(numbers)) for name in report}) for report in reports]
    if not said:
        raise PlanError("no report to learn pairs of entities from")
    ids = sorted(numbers)
    place = np.empty(len(ids), dtype=np.int64)
    place[[numbers[name] for name in ids]] = np.arange(len(ids))
    rows = np.repeat(np.arange(len(said)), [len(found) for found in said])
    columns = place[np.fromiter((number for found in said for number in found), dtype=np.int64, count=len(rows))]
    held = sparse.csc_array((np.ones(len(rows), np.int64), (rows, columns)), shape=(len(said), len(ids)))
    counts = np.bincount(columns, minlength=len(ids))
    pairs, expected = _expected(counts, len(said), least)
    common = np.unique(pairs)
    both = (held[:, common].T @ held[:, common]).tocsr() if len(common) else sparse.csr_array((0, 0), dtype=np.int64)
    at = np.searchsorted(common, pairs)
    observed = np.asarray(both[at[:, 0], at[:, 1]]).ravel().astype(np.int64) if len(pairs) else np.empty(0, np.int64)
    return Cooccurrence(len(said), tuple(ids), pairs, expected, observed)


def save(found: Cooccurrence, path: Path) -> None:
    """Write the file that `plan.cooccurrence` names; equal pairs give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = np.array(found.ids, dtype=object)
    first, second = (names[found.pairs[:, side]] if len(found.pairs) else [] for side in (0, 1))
    columns = [pa.array(first, pa.string()), pa.array(second, pa.string()), found.expected, found.observed]
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), path, compression="zstd")


def never_together(path: str, entities: Sequence[Entity]) -> np.ndarray:
    """The pairs of a bank that the corpus behind `path` had every chance to show and never did.

    Args:
        path: a file of `save`.
        entities: the bank; pairs with entities that it does not have are passed over.

    Returns:
        (n, 2) int64 entity numbers.

    Raises:
        PlanError: the file is missing or is no such table, or none of its entities is in the bank.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not Path(path).is_file():
        raise PlanError(f"plan.cooccurrence: no file {path}: learn it from a corpus, or leave it empty")
    try:
        table = pq.read_table(path, columns=list(COLUMNS))
        if missing := [name for name in COLUMNS if name not in table.column_names]:
            raise ValueError(f"the column {missing[0]!r} is missing")
        expected, observed = (table.column(name).to_numpy().astype(np.float64) for name in COLUMNS[2:])
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PlanError(f"plan.cooccurrence: {path}: {reason}; learn it from a corpus, or leave it empty") from error
    number = {entity.id: n for n, entity in enumerate(entities)}
    names: list[list[Any]] = [table.column(name).to_pylist() for name in COLUMNS[:2]]
    _refuse_unfit(path, names)
    pairs = np.array([[number.get(name, -1) for name in side] for side in names], dtype=np.int64).T.reshape(-1, 2)
    if len(pairs) and (pairs < 0).all():
        raise PlanError(f"plan.cooccurrence: {path}: none of its entities, such as {names[0][0]!r}, is in the bank")
    return pairs[(pairs >= 0).all(axis=1) & (expected >= LEAST_EXPECTED) & (observed == 0)]


def _refuse_unfit(path: str, names: Sequence[Sequence[object]]) -> None:
    """Refuse ids that could steer a chat model or a terminal, or are no text."""
    reasons: dict[object, str | None] = {}
    for name in dict.fromkeys(name for side in names for name in side):
        reasons[name] = unfit(name) if isinstance(name, str) else "is no text: give the id of an entity"
    wrong = [
        f"row {row}: {name!a} {reasons[name]}"
        for row, pair in enumerate(zip(*names, strict=True), start=1)
        for name in pair
        if reasons[name]
    ]
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise PlanError(f"plan.cooccurrence: {path}, {'; '.join(wrong[:SHOWN])}{more}")


def _expected(counts: np.ndarray, reports: int, least: float) -> tuple[np.ndarray, np.ndarray]:
    """All pairs expected in at least `least` reports, as sorted positions, and in how many."""
    falling = np.argsort(-counts, kind="stable")
    sizes = counts[falling].astype(np.float64)
    found = [np.empty((0, 2), dtype=np.int64)]
    for rank in range(len(falling)):
        # Counts fall, so the partners of one entity are a run, and none comes after the first without any.
        end = int(np.searchsorted(-sizes * sizes[rank], -least * reports, side="right"))
        if end <= rank + 1:
            break
        partners = falling[rank + 1 : end]
        found.append(np.stack([np.full(len(partners), falling[rank]), partners], axis=1))
    pairs = np.sort(np.concatenate(found), axis=1)
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    return pairs, counts[pairs[:, 0]] * (counts[pairs[:, 1]] / reports)
