"""What of a dataset version is done, missing and rejected, per stage and shard; derived from the store alone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from storage.attempts import Attempts, SetAside
from storage.errors import DatasetMissing, ObjectMissing
from storage.layout import DatasetRef, shard_of, shard_of_index
from storage.ledger import committed_shard
from storage.manifest import find_manifest
from storage.records import ShardEntry
from storage.versions import VersionPlace
from tasks.plan.layout import ShardLayout
from tasks.publish.dataset import RecipeChanged, frozen_recipe

COUNTING = 1.2
"""Seconds after which `status` reads no further indices of a version that has no manifest yet."""
_TOGETHER = 16
_MOST = 1_000_000  # shards


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """One shard; numbers are None where they are not known without reading more objects.

    Args:
        planned: samples that the plan gives it.
        reports, images: whether the stage's object is there; `done` whether the shard is committed.
        written: reports that passed their gates; the rest of the planned were rejected.
        accepted: pairs that passed all gates; the rest of the written were rejected.
    """

    shard: int
    planned: int
    reports: bool
    images: bool
    done: bool
    written: int | None = None
    accepted: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """One version: `asked` pairs, whether it is published, its shards, and how many may follow as top-up.

    `aside` are the shards that failed in all their attempts, with what is known of them.
    """

    ref: DatasetRef
    asked: int
    published: bool
    shards: tuple[ShardStatus, ...]
    top_up: int
    aside: tuple[SetAside, ...] = ()

    @property
    def missing(self) -> list[int]:
        """Base and begun shards that are not committed."""
        return [shard.shard for shard in self.shards if not shard.done]

    @property
    def counted(self) -> list[ShardStatus]:
        """The committed shards whose numbers are known."""
        return [shard for shard in self.shards if shard.done and shard.accepted is not None]

    @property
    def accepted(self) -> int:
        """Accepted pairs in the counted shards."""
        return sum(shard.accepted or 0 for shard in self.shards)

    @property
    def rejected(self) -> dict[str, int]:
        """Rejected samples in the counted shards, by stage."""
        written = sum(shard.written or 0 for shard in self.counted)
        planned = sum(shard.planned for shard in self.counted)
        return {"reports": planned - written, "images": written - self.accepted}


def status(place: VersionPlace, *, seconds: float | None = COUNTING) -> Status:
    """Look at one version: its recipe and its manifest or, while there is none, one listing and its indices.

    Args:
        place: of the version.
        seconds: from now on until when indices are read for the numbers of accepted and rejected; None reads all.

    Raises:
        DatasetMissing: it was never begun.
        RecipeChanged: its ``recipe.yaml`` was not written by this project.
        CorruptShard: the record of a shard that is set aside cannot be read.
    """
    until = None if seconds is None else time.monotonic() + seconds
    store, ref = place.store, place.ref
    try:
        _, recipe = frozen_recipe(place)
    except ObjectMissing:
        raise DatasetMissing(f"{ref} was never begun in {store.root}: `synth versions` lists what is there") from None
    layout, manifest = _layout(place, recipe), find_manifest(store, ref)
    if manifest is not None:
        known = {entry.shard: entry for entry in manifest.shards}
        shards = reports = tars = indices = set(known)
    else:
        tars, indices = _pairs(place)
        reports = _reports(place, {*range(layout.top_up_shards.stop), *tars} - indices)
        shards = {*layout.base_shards, *reports, *tars, *indices}
        known = _entries(place, sorted(indices), until)
    return Status(
        ref=ref,
        asked=layout.pairs,
        published=manifest is not None,
        shards=tuple(
            _shard(n, layout.planned(n), n in reports, n in tars, n in indices, known.get(n)) for n in shards
        ),
        top_up=len(layout.top_up_shards),
        aside=() if manifest is not None else tuple(Attempts(store, ref).found(but=indices)),
    )


def _layout(place: VersionPlace, recipe: Mapping[str, Any]) -> ShardLayout:
    """How a frozen recipe cuts its samples into shards; a rendered archive counts films."""
    try:
        pairs, size = recipe.get("pairs") or recipe["films"], recipe["shard_size"]
        top_up = float(recipe.get("top_up", 1.0))
        if not (isinstance(pairs, int) and isinstance(size, int) and size > 0 and 0 < pairs * top_up <= size * _MOST):
            raise ValueError(f"pairs {pairs!r}, shard_size {size!r}, top_up {top_up!r}")
        return ShardLayout.of(pairs, size, top_up)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        where = place.store.uri(place.ref.recipe)
        raise RecipeChanged(f"{where} does not give the number of samples: {error}; restore it") from error


def _pairs(place: VersionPlace) -> tuple[set[int], set[int]]:
    """Shards with a tar, and shards with an index."""
    tars, indices = set(), set()
    for info in place.store.list(place.ref.key("pairs/")):
        if (number := shard_of_index(info.key)) is not None:
            indices.add(number)
        elif info.key.endswith(".tar") and (number := shard_of(info.key)) is not None:
            tars.add(number)
    return tars, indices


def _reports(place: VersionPlace, open_shards: set[int]) -> set[int]:
    """Which of the uncommitted shards have a report table; thousands without one of them are not listed."""
    blocks = sorted({f"{shard:05d}"[:-3] for shard in open_shards})
    listed = (info.key for block in blocks for info in place.store.list(place.ref.key(f"reports/{block}")))
    found = {number for key in listed if (number := shard_of(key)) is not None}
    return found & open_shards


def _entries(place: VersionPlace, shards: Sequence[int], until: float | None) -> dict[int, ShardEntry]:
    """Committed entries, as many as can be read `until` then; the first shards first."""

    def read(shard: int) -> ShardEntry | None:
        return (
            None if until is not None and time.monotonic() > until else committed_shard(place.store, place.ref, shard)
        )

    with ThreadPoolExecutor(_TOGETHER) as pool:
        return {shard: entry for shard, entry in zip(shards, pool.map(read, shards), strict=True) if entry is not None}


def _shard(
    number: int, planned: int, reports: bool, images: bool, done: bool, entry: ShardEntry | None
) -> ShardStatus:
    written = None
    if entry is not None:
        written = entry.reports.rows if entry.reports is not None else planned
        planned = entry.counts.get("planned", planned)
    return ShardStatus(
        shard=number,
        planned=planned,
        reports=reports or done,
        images=images or done,
        done=done,
        written=written,
        accepted=entry.accepted if entry is not None else None,
    )


def spans(numbers: Iterable[int]) -> str:
    """Numbers as ``0-3, 7``; ``none`` where there are none."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ", ".join("-".join(map(str, part)) for part in parts) or "none"
