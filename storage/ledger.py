"""Which shards are done, and how one gets done exactly once.

A shard's objects are published in the order reports, rejects, tar, index; the index commits the shard. Each is
create-only, and whatever an earlier attempt or a racing writer has published is taken as it is: the objects that
follow are made to agree with it. So there is never a second version of anything, whoever dies when.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import first_problem
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing, ShardConflict
from storage.layout import DatasetRef, shard_of_index, split_version
from storage.objects import ObjectStore
from storage.records import ObjectEntry, PairRow, RejectRow, ReportRow, ShardEntry
from storage.shards import Sample, read_tar, row_of, write_tar
from storage.tables import from_parquet, read_table_object, table_metadata, to_parquet

SHARD_KEY = "synthcxr.shard"
REJECTS_KEY = "synthcxr.rejects"
PARQUET = "application/vnd.apache.parquet"
_READERS = 8
_REMEDY = "remove it and run again, or restore it"
_log = logging.getLogger(__name__)


def committed_shards(store: ObjectStore, ref: DatasetRef) -> dict[int, ShardEntry]:
    """Every committed shard by number: one listing, then the indices, several at a time."""
    keys = [info.key for info in store.list(ref.key("pairs/")) if split_version(info.key) is not None]
    numbers = sorted(number for key in keys if (number := shard_of_index(key)) is not None)
    with ThreadPoolExecutor(_READERS) as pool:
        entries = pool.map(partial(committed_shard, store, ref), numbers)
    return {entry.shard: entry for entry in entries if entry is not None}


def committed_shard(store: ObjectStore, ref: DatasetRef, shard: int) -> ShardEntry | None:
    """The entry of a committed shard, or None."""
    data = _stored(store, ref.index(shard))
    return None if data is None else _entry_in(store, ref, shard, data)


def load_reports(store: ObjectStore, ref: DatasetRef, shard: int) -> tuple[list[ReportRow], list[RejectRow]] | None:
    """The reports that an earlier attempt stored, and the samples it gave up writing; None if there are none."""
    data = _stored(store, ref.reports(shard))
    return None if data is None else _reports_in(data, store.uri(ref.reports(shard)))


def publish_reports(
    store: ObjectStore, ref: DatasetRef, shard: int, rows: Sequence[ReportRow], rejects: Sequence[RejectRow] = ()
) -> tuple[list[ReportRow], list[RejectRow]]:
    """Store a shard's reports before its films are drawn, and return what is stored now.

    Go on with what this returns: another writer may have been first. The samples given up for their report are
    kept in the file's metadata, so that a resumed shard still has them.
    """
    return _reports_in(_put_reports(store, ref, shard, rows, rejects), store.uri(ref.reports(shard)))


@dataclass(frozen=True, slots=True)
class ShardContents:
    """What a shard is committed with.

    Args:
        pairs: accepted samples, whose ``json`` is the full `PairRow`.
        rejects: given-up samples of all stages.
        seconds: wall clock by stage.
        counts: anything counted.
        reports: the shard's reports; None where `publish_reports` stored them, or where a dataset has none.
    """

    pairs: Sequence[Sample]
    rejects: Sequence[RejectRow] = ()
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    reports: Sequence[ReportRow] | None = None


def commit_shard(store: ObjectStore, ref: DatasetRef, shard: int, contents: ShardContents) -> ShardEntry:
    """Publish a shard, exactly once, and return the entry that counts.

    Returns:
        The committed entry. ``counts["lost"]`` is the number of samples in neither tar nor rejects, because an
        earlier attempt that decided otherwise died between the two (only engines that are not deterministic).

    Raises:
        ShardConflict: the stored reports are not the ones these pairs show: load them and draw again.
    """
    done = committed_shard(store, ref, shard)
    if done is not None:
        return done
    pairs, rejects, reports = contents.pairs, contents.rejects, contents.reports
    report_data = _stored(store, ref.reports(shard)) if reports is None else _put_reports(store, ref, shard, reports)
    report_entry = None if report_data is None else _agreed_reports(ref, shard, report_data, pairs)
    reject_data, reject_sum = _publish(store, ref.rejects(shard), to_parquet(rejects, kind=RejectRow))
    with _named(store.uri(ref.rejects(shard))):
        refused = {row.sample_id for row in from_parquet(reject_data, RejectRow)}
    tar, rows = _publish_tar(store, ref, shard, [pair for pair in pairs if pair.key not in refused])
    known = {pair.key for pair in pairs} | {row.sample_id for row in rejects}
    lost = len(known - refused - {row.sample_id for row in rows})
    entry = ShardEntry(
        shard=shard,
        pairs=tar,
        index=ObjectEntry(key=ref.relative(ref.index(shard)), size=0, sha256="", rows=len(rows)),
        rejects=_entry(ref, ref.rejects(shard), reject_data, len(refused), reject_sum),
        reports=report_entry,
        accepted=len(rows),
        rejected=len(refused),
        seconds=dict(contents.seconds),
        counts=dict(contents.counts) | ({"lost": lost} if lost > 0 else {}),
    )
    if lost > 0:
        _log.warning("shard %d of %s: %d samples lost to an earlier attempt that decided otherwise", shard, ref, lost)
    metadata = {SHARD_KEY: canonical_json(entry.model_dump(mode="json"))}
    index, _ = _publish(store, ref.index(shard), to_parquet(rows, metadata, kind=PairRow))
    return _entry_in(store, ref, shard, index)


def _reports_in(data: bytes, uri: str) -> tuple[list[ReportRow], list[RejectRow]]:
    with _named(uri):
        rejects = json.loads(table_metadata(data).get(REJECTS_KEY, "[]"))
        return from_parquet(data, ReportRow), [RejectRow.model_validate(row) for row in rejects]


def _put_reports(
    store: ObjectStore, ref: DatasetRef, shard: int, rows: Sequence[ReportRow], rejects: Sequence[RejectRow] = ()
) -> bytes:
    """Store reports, and return what is stored now."""
    text = json.dumps([row.model_dump(mode="json") for row in rejects], sort_keys=True)  # a score may be NaN
    return _publish(store, ref.reports(shard), to_parquet(rows, {REJECTS_KEY: text}, kind=ReportRow))[0]


def _entry_in(store: ObjectStore, ref: DatasetRef, shard: int, index: bytes) -> ShardEntry:
    with _named(f"{store.uri(ref.index(shard))} is no index of shard {shard}"):
        entry = ShardEntry.model_validate_json(table_metadata(index)[SHARD_KEY])
    return entry.model_copy(update={"index": _entry(ref, ref.index(shard), index, entry.accepted)})


def _agreed_reports(ref: DatasetRef, shard: int, data: bytes, pairs: Sequence[Sample]) -> ObjectEntry:
    """The entry of the stored reports, which the pairs must show."""
    with _named(f"reports of shard {shard} of {ref}"):
        rows = {row.sample_id: row for row in from_parquet(data, ReportRow)}
    for pair in pairs:
        row = rows.get(pair.key)
        shown = (pair.json.get("findings"), pair.json.get("impression"))
        if row is None or (row.findings, row.impression) != shown:
            raise ShardConflict(
                f"shard {shard} of {ref}: sample {pair.key} shows another report than the stored one; an earlier "
                "attempt wrote other reports: run the shard again, it takes the stored ones"
            )
    return _entry(ref, ref.reports(shard), data, len(rows))


def _publish_tar(
    store: ObjectStore, ref: DatasetRef, shard: int, pairs: Sequence[Sample]
) -> tuple[ObjectEntry | None, list[PairRow]]:
    """The shard's tar and the rows in it; an earlier attempt's tar where there is one."""
    key = ref.pairs(shard)
    if pairs:
        ours = write_tar(pairs)
        data, digest = _publish(store, key, ours)
        held = pairs if data is ours else read_tar(data, store.uri(key))
    else:
        data, digest = _stored(store, key), None
        if data is None:
            return None, []
        held = read_tar(data, store.uri(key))
    rows = [row_of(sample, store.uri(key)) for sample in held]
    return _entry(ref, key, data, len(rows), digest), rows


def _publish(store: ObjectStore, key: str, data: bytes) -> tuple[bytes, str]:
    """Write create-only and return what is stored, ours or that of whoever was first, with its SHA-256."""
    kind = "application/x-tar" if key.endswith(".tar") else PARQUET
    try:
        return data, store.put(key, data, content_type=kind)
    except AlreadyExists:
        stored = store.get(key)
        return stored, hashlib.sha256(stored).hexdigest()


@contextmanager
def _named(where: str) -> Generator[None, None, None]:
    """What is wrong with a stored object becomes one error that begins with its name."""
    try:
        yield
    except ValidationError as error:
        raise CorruptShard(f"{where}: {first_problem(error)}; {_REMEDY}") from error
    except (CorruptShard, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CorruptShard(f"{where}: {error}; {_REMEDY}") from error


def _stored(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get(key) if key.endswith(".tar") else read_table_object(store, key)
    except ObjectMissing:
        return None


def _entry(ref: DatasetRef, key: str, data: bytes, rows: int, digest: str | None = None) -> ObjectEntry:
    return ObjectEntry(
        key=ref.relative(key), size=len(data), sha256=digest or hashlib.sha256(data).hexdigest(), rows=rows
    )
