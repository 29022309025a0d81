"""Find one sample in a version: its rows, and where its bytes are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import Field

from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef, shard_of, split_version
from storage.objects import ObjectStore
from storage.records import PairRow, Record, RejectRow, ReportRow
from storage.tables import from_parquet, read_column, read_table_object
from storage.tars import read_groups

_REMEDY = "`synth verify` lists what else is damaged"
R = TypeVar("R", PairRow, RejectRow, ReportRow)


class Span(Record):
    """Where a file's bytes lie in its tar."""

    offset: int
    size: int


class Trace(Record):
    """What a version holds of one sample.

    Args:
        pair: its row, where it was accepted.
        reject: its row, where it was given up.
        report: its report's row, where one passed its gates.
        position: row of the index (of the rejects, where it was given up), from 0.
        tar: the shard's tar, relative to the version; None where the sample has no film.
        files: the sample's files in the tar, by extension.
    """

    sample_id: str
    shard: int
    position: int
    pair: PairRow | None = None
    reject: RejectRow | None = None
    report: ReportRow | None = None
    tar: str | None = None
    files: dict[str, Span] = Field(default_factory=dict)


def find_sample(store: ObjectStore, ref: DatasetRef, sample_id: str, shards: Iterable[int]) -> Trace | None:
    """Look for a sample in `shards`, in this order; None where it is in none of them.

    Raises:
        CorruptShard: an object on the way cannot be read; the message names it.
    """
    for shard in shards:
        pair = _row(store, ref.index(shard), PairRow, sample_id)
        reject = _row(store, ref.rejects(shard), RejectRow, sample_id)
        report = _row(store, ref.reports(shard), ReportRow, sample_id)
        found = pair or reject or report
        if found is None:
            continue
        return Trace(
            sample_id=sample_id,
            shard=shard,
            position=found[0],
            pair=pair[1] if pair else None,
            reject=reject[1] if reject else None,
            report=report[1] if report else None,
            tar=ref.relative(ref.pairs(shard)) if pair else None,
            files=_files(store, ref.pairs(shard), sample_id) if pair else {},
        )
    return None


def shard_numbers(store: ObjectStore, ref: DatasetRef) -> list[int]:
    """Numbers of the shards of which anything is stored, in order."""
    keys = (info.key for info in store.list(f"{ref.prefix}/"))
    found = (shard_of(key) for key in keys if split_version(key) is not None)
    return sorted({number for number in found if number is not None})


def _row(store: ObjectStore, key: str, kind: type[R], sample_id: str) -> tuple[int, R] | None:
    """A sample's row and its number; the ids alone are read first."""
    try:
        data = read_table_object(store, key)
    except ObjectMissing:
        return None
    try:
        ids = read_column(data, "sample_id")
        if sample_id not in ids:
            return None
        at = ids.index(sample_id)
        return at, from_parquet(data, kind)[at]
    except CorruptShard as error:
        raise CorruptShard(f"{store.uri(key)}: {error}; {_REMEDY}") from error


def _files(store: ObjectStore, key: str, sample_id: str) -> dict[str, Span]:
    try:
        with store.open(key) as stream:
            for group in read_groups(stream):
                if group.key == sample_id:
                    return {name: Span(offset=m.offset, size=len(m.data)) for name, m in group.parts.items()}
    except ValueError as error:
        raise CorruptShard(f"{store.uri(key)} is damaged: {error}; {_REMEDY}") from error
    raise CorruptShard(f"{store.uri(key)} does not hold sample {sample_id}, which its index names")
