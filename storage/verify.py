"""Prove that a published version agrees with its manifest: every object, every sample, every film."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from storage.documents import BadDocument, read_bounded
from storage.errors import CorruptShard, ObjectMissing
from storage.ledger import SHARD_KEY
from storage.png import decode_png
from storage.records import Manifest, ObjectEntry, PairRow, Record, RejectRow, ReportRow, ShardEntry
from storage.shards import sample_in, sample_of
from storage.tables import MOST_BYTES, from_parquet, table_metadata
from storage.tars import Group, read_groups
from storage.versions import Version, VersionPlace

R = TypeVar("R", bound=Record)
_SPARE = 1 << 20  # bytes that an object is read beyond the size in the manifest, to measure its own


class Problem(Record):
    """What is wrong with which object of a version."""

    object: str
    what: str


@dataclass(slots=True)
class ShardCheck:
    """What one shard was found to hold: films (PNG SHA-256) and rejects by sample id, counts and problems.

    `counted` is False where a table could not be read, so that the counts mean nothing.
    """

    films: dict[str, str] = field(default_factory=dict[str, str])
    rejects: list[str] = field(default_factory=list[str])
    entities: Counter[str] = field(default_factory=Counter[str])
    gates: Counter[str] = field(default_factory=Counter[str])
    counted: bool = True
    size: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])

    def add(self, name: str, what: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(object=name, what=what))


@dataclass(slots=True)
class VersionCheck:
    """What a version was found to hold.

    Args:
        samples: the film (PNG SHA-256, empty where it cannot be read) of every sample in a tar.
        same_films: samples whose film another sample shows too, with that other.
    """

    objects: int = 0
    size: int = 0
    samples: dict[str, str] = field(default_factory=dict[str, str])
    same_films: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    problems: list[Problem] = field(default_factory=list[Problem])
    _homes: dict[str, str] = field(default_factory=dict[str, str])
    _shown: dict[str, str] = field(default_factory=dict[str, str])

    def add(self, entry: ShardEntry, check: ShardCheck) -> None:
        """Take in one shard, and look whether it repeats what others hold."""
        self.problems += check.problems
        self.size += check.size
        self.objects += sum(part is not None for part in (entry.pairs, entry.index, entry.rejects, entry.reports))
        for sample in [*check.films, *check.rejects]:
            home = self._homes.setdefault(sample, entry.index.key)
            if home != entry.index.key:
                self.problems.append(Problem(object=entry.index.key, what=f"sample {sample} is in {home} too"))
        for sample in check.films.keys() & set(check.rejects):
            self.problems.append(Problem(object=entry.rejects.key, what=f"sample {sample} is in the tar too"))
        for sample, film in check.films.items():
            if film and self._shown.setdefault(film, sample) != sample:
                self.same_films.append((sample, self._shown[film]))
        self.samples |= check.films


def verify_version(version: Version, on_shard: Callable[[int, int], None] | None = None) -> VersionCheck:
    """Read everything once: hashes, index against tar against manifest, every film decoded, no sample twice.

    Args:
        version: what to verify.
        on_shard: called with shards checked and shards in all.
    """
    found, manifest = VersionCheck(), version.manifest
    entities, gates, counted = Counter[str](), Counter[str](), True
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        checks = pool.map(partial(verify_shard, version), manifest.shards)
        for done, (entry, check) in enumerate(zip(manifest.shards, checks, strict=True), 1):
            found.add(entry, check)
            entities += check.entities
            gates += check.gates
            counted = counted and check.counted
            if on_shard is not None:
                on_shard(done, len(manifest.shards))
    for name, sha256 in sorted(manifest.documents.items()):
        found.objects += 1
        found.problems += _document_problems(version, name, sha256)
    found.problems += _manifest_problems(manifest)
    if counted:
        found.problems += _miscounted(manifest, entities, gates)
    return found


def verify_shard(place: VersionPlace, entry: ShardEntry) -> ShardCheck:
    """Check one shard against its manifest entry; nothing is raised for what is wrong, it is noted."""
    check = ShardCheck()
    rows = _index(place, entry, check)
    rejects = _table(place, entry.rejects, RejectRow, check)
    check.counted = rows is not None and rejects is not None
    check.rejects = [row.sample_id for row in rejects or []]
    check.gates = Counter(row.gate for row in rejects or [])
    if rejects is not None and len(rejects) != entry.rejected:
        check.add(entry.rejects.key, f"holds {len(rejects)} rejects, the manifest has {entry.rejected}")
    reports = _table(place, entry.reports, ReportRow, check)
    if reports is not None:
        for sample in {row.sample_id for row in rows or []} - {row.sample_id for row in reports}:
            check.add(entry.index.key, f"sample {sample} has no report")
    if entry.pairs is not None:
        _tar(place, entry.pairs, rows, check)
    elif rows:
        check.add(entry.index.key, f"lists {len(rows)} samples, but the shard has no tar")
    return check


def _index(place: VersionPlace, entry: ShardEntry, check: ShardCheck) -> list[PairRow] | None:
    data = _bytes(place, entry.index, check)
    rows = None if data is None else _rows(data, entry.index, PairRow, check)
    if data is None or rows is None:
        return None
    check.entities = Counter(entity for row in rows for entity in row.entities)
    if len(rows) != entry.accepted:
        check.add(entry.index.key, f"lists {len(rows)} samples, the manifest has {entry.accepted}")
    try:
        said = ShardEntry.model_validate_json(table_metadata(data)[SHARD_KEY])
    except (KeyError, ValueError) as error:
        check.add(entry.index.key, f"does not say which shard it commits: {error}")
        return rows
    for name in ShardEntry.model_fields:
        if name != "index" and getattr(said, name) != getattr(entry, name):
            check.add(entry.index.key, f"was committed with another {name!r} than that of the manifest")
    return rows


def _table(place: VersionPlace, entry: ObjectEntry | None, kind: type[R], check: ShardCheck) -> list[R] | None:
    """The rows of a Parquet object; None where there are none to be had."""
    data = None if entry is None else _bytes(place, entry, check)
    return None if entry is None or data is None else _rows(data, entry, kind, check)


def _bytes(place: VersionPlace, entry: ObjectEntry, check: ShardCheck) -> bytes | None:
    try:
        data = read_bounded(place.store, place.ref.key(entry.key), min(2 * entry.size + _SPARE, MOST_BYTES))
    except ObjectMissing:
        check.add(entry.key, "is missing")
        return None
    except BadDocument as error:
        check.add(entry.key, f"{error}, the manifest has {entry.size}")
        return None
    _compare(entry, len(data), hashlib.sha256(data).hexdigest(), check)
    return data


def _rows(data: bytes, entry: ObjectEntry, kind: type[R], check: ShardCheck) -> list[R] | None:
    try:
        rows = from_parquet(data, kind)
    except CorruptShard as error:
        check.add(entry.key, str(error))
        return None
    for sample, times in Counter(getattr(row, "sample_id") for row in rows).items():  # noqa: B009
        if times > 1:
            check.add(entry.key, f"sample {sample} is in it {times} times")
    return rows


def _tar(place: VersionPlace, entry: ObjectEntry, rows: list[PairRow] | None, check: ShardCheck) -> None:
    by_id = {row.sample_id: row for row in rows or []}
    whole = False
    try:
        with place.store.open(place.ref.key(entry.key)) as stream:
            hashed = _Hashed(stream)
            try:
                for group in read_groups(hashed):
                    check.films[group.key] = ""
                    for what in _sample_problems(group, by_id.get(group.key), rows is not None, check):
                        check.add(entry.key, what)
                whole = True
            except ValueError as error:
                check.add(entry.key, str(error))
            hashed.drain()
    except ObjectMissing:
        return check.add(entry.key, "is missing")
    _compare(entry, hashed.size, hashed.digest.hexdigest(), check)
    for sample in [sample for sample in by_id if whole and sample not in check.films]:
        check.add(entry.key, f"sample {sample} is in the index and not in the tar")
    if whole and len(check.films) != entry.rows:
        check.add(entry.key, f"holds {len(check.films)} samples, the manifest has {entry.rows}")
    return None


def _sample_problems(group: Group, row: PairRow | None, indexed: bool, check: ShardCheck) -> Iterator[str]:
    try:
        sample = sample_in(group)
        check.films[group.key] = hashlib.sha256(sample.png).hexdigest()
        if row is not None and sample_of(row, sample.png) != sample:
            yield f"sample {group.key} says something else than its row in the index"
        decode_png(sample.png)
    except (ValueError, CorruptShard) as error:
        yield str(error) if group.key in str(error) else f"sample {group.key}: {error}"
    if indexed and row is None:
        yield f"sample {group.key} is in the tar and not in the index"


def _compare(entry: ObjectEntry, size: int, digest: str, check: ShardCheck) -> None:
    check.size += size
    if size != entry.size:
        check.add(entry.key, f"has {size} bytes, the manifest has {entry.size}")
    elif digest != entry.sha256:
        check.add(entry.key, f"has SHA-256 {digest[:12]}…, the manifest has {entry.sha256[:12]}…")


def _document_problems(version: Version, name: str, sha256: str) -> Iterator[Problem]:
    """What is wrong with an object beside the shards; of a manifest of format 1 or 2 none is known."""
    try:
        digest = hashlib.sha256(read_bounded(version.store, version.ref.key(name))).hexdigest()
    except ObjectMissing:
        yield Problem(object=name, what="is missing")
    except BadDocument as error:
        yield Problem(object=name, what=str(error))
    else:
        if digest != sha256:
            yield Problem(object=name, what=f"has SHA-256 {digest[:12]}…, the manifest has {sha256[:12]}…")


def _manifest_problems(manifest: Manifest) -> Iterator[Problem]:
    said = {
        "accepted": (manifest.accepted, sum(shard.accepted for shard in manifest.shards)),
        "rejected": (manifest.rejected, sum(shard.rejected for shard in manifest.shards)),
    }
    for name, (claimed, counted) in said.items():
        if claimed != counted:
            yield Problem(object="manifest.json", what=f"its {name} should be {counted}, not {claimed}")
    for number, times in Counter(shard.shard for shard in manifest.shards).items():
        if times > 1:
            yield Problem(object="manifest.json", what=f"names shard {number} {times} times")


def _miscounted(manifest: Manifest, entities: Counter[str], gates: Counter[str]) -> Iterator[Problem]:
    counts = {"entity_counts": entities, "rejected_by_gate": gates}
    for name, counted in counts.items():
        if getattr(manifest, name) != dict(counted):
            yield Problem(object="manifest.json", what=f"its {name} is not what the shards hold")


class _Hashed:
    """A stream that hashes and counts what is read from it."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.digest, self.size = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size)
        self.digest.update(block)
        self.size += len(block)
        return block

    def drain(self) -> None:
        while self.read(1 << 20):
            pass
