"""Garbage: find what nothing reaches, and remove it when asked to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from storage.errors import DatasetMissing, ManifestConflict, StoreError
from storage.layout import (
    CHECKPOINTS,
    DATASETS,
    PREDICTIONS,
    TAGS,
    WORK,
    DatasetRef,
    printable,
    split_checkpoint,
    split_prediction,
    split_version,
    split_work,
    trial_key,
)
from storage.manifest import find_manifest, reached
from storage.objects import ObjectStore
from storage.orphans import Leftover, leftovers
from tasks.store.references import references

DAY = timedelta(days=1)


class StillNeeded(StoreError):
    """A version is to be removed that something refers to; the message names it."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """What may go, in the order in which it goes, and which versions are left alone although they are not whole.

    Args:
        items: objects and unfinished uploads that nothing reaches.
        unfinished: versions without a manifest; a run may be at work on them, or go on with them.
        damaged: versions whose manifest cannot be trusted, with the reason; nothing of theirs is touched.
        foreign: objects among the versions that this project does not write; they are never touched.
    """

    items: tuple[Leftover, ...]
    unfinished: tuple[DatasetRef, ...]
    damaged: dict[str, str]
    foreign: tuple[str, ...] = ()


def find_garbage(store: ObjectStore, *, abandon: Sequence[DatasetRef] = (), older: timedelta = DAY) -> Garbage:
    """Look for what nothing reaches. Whatever a manifest, selection, checkpoint or tag reaches is not in it.

    Of a published version that is every object that neither its manifest names nor its card holds: what a slower
    rival left behind. A version without manifest is left alone, unless it is abandoned by name. Checkpoints are never
    garbage; notes of attempts are where no version is in the making, predictions are where their checkpoint is gone,
    and the state of a training is once that has ended.

    Args:
        store: where to look.
        abandon: unfinished versions that are given up: all of their objects go.
        older: age from which an unfinished write or a probe outside every version counts as left behind.

    Raises:
        StillNeeded: an abandoned version is published, or something refers to it.
        DatasetMissing: there is nothing of an abandoned version.
    """
    held: dict[DatasetRef, dict[str, int]] = {}
    strange: list[str] = []
    for info in store.list(DATASETS):
        part = split_version(info.key)
        if part is None:
            strange.append(printable(info.key))
        else:
            held.setdefault(part[0], {})[info.key] = info.size
    for ref in abandon:
        _may_go(store, ref, held)
    items: list[Leftover] = []
    unfinished: list[DatasetRef] = []
    damaged: dict[str, str] = {}
    for ref, sizes in sorted(held.items(), key=lambda item: str(item[0])):
        try:
            manifest = find_manifest(store, ref)
        except ManifestConflict as error:
            damaged[str(ref)] = str(error)
            continue
        if manifest is None and ref not in abandon:
            unfinished.append(ref)
            continue
        why = "no manifest names it" if manifest is not None else "its version is given up"
        keys = set(sizes) - (reached(ref, manifest) if manifest is not None else set())
        items += [
            Leftover(key, why, sizes[key], lambda key=key: store.delete(key))
            for key in sorted(keys, key=lambda key: _order(ref, key))
            if manifest is None or not key.startswith(ref.card(""))
        ]
    items += _of_work(store, {*unfinished, *(ref for ref in held if str(ref) in damaged)})
    items += _of_trials(store)
    return Garbage((*items, *leftovers(store, older)), tuple(unfinished), damaged, tuple(strange))


def _of_work(store: ObjectStore, kept: Collection[DatasetRef]) -> Iterator[Leftover]:
    """Notes of attempts at versions that are no longer in the making."""
    for info in store.list(WORK):
        part = split_work(info.key)
        if part is not None and part[0] not in kept:
            yield Leftover(info.key, "no run needs it any more", info.size, partial(store.delete, info.key))


def _of_trials(store: ObjectStore) -> Iterator[Leftover]:
    """Predictions of weights that are no longer there, and the state of a training that has ended."""
    checkpoints = {info.key: info.size for info in store.list(CHECKPOINTS)}
    weights = {split_checkpoint(key) for key in checkpoints}
    for info in store.list(PREDICTIONS):
        part = split_prediction(info.key)
        if part is not None and part[1] is not None and (part[0], part[1]) not in weights:
            remove = partial(store.delete, info.key)
            yield Leftover(info.key, "the checkpoint that made it is gone", info.size, remove)
    for key, size in checkpoints.items():
        part = split_checkpoint(key)
        if part is not None and part[1] is None and key != trial_key(part[0]) and trial_key(part[0]) in checkpoints:
            yield Leftover(key, "its training has ended", size, partial(store.delete, key))


def collect(garbage: Garbage) -> int:
    """Remove it all, in order, and return how many things went."""
    for item in garbage.items:
        item.remove()
    return len(garbage.items)


def _order(ref: DatasetRef, key: str) -> tuple[int, str]:
    """Indices first and the recipe last: what is cut off in between is an unfinished version like any other."""
    name = ref.relative(key)
    return (0 if name.startswith("pairs/") and name.endswith(".parquet") else 2 if key == ref.recipe else 1, key)


def _may_go(store: ObjectStore, ref: DatasetRef, held: dict[DatasetRef, dict[str, int]]) -> None:
    if ref not in held:
        raise DatasetMissing(f"there is nothing of {ref} in {store.root}")
    if ref.manifest in held[ref]:
        raise StillNeeded(f"{ref} is published, and published versions are never removed")
    known = references(store)
    unread = [f"{key}, which cannot be read ({why})," for key, why in known.damaged.items() if _may_name(key, ref)]
    users = [*known.to(ref), *unread]
    if users:
        raise StillNeeded(f"{ref} cannot be given up: {users[0]} refers or may refer to it ({len(users)} in all)")


def _may_name(key: str, ref: DatasetRef) -> bool:
    """Whether an unreadable object could refer to `ref`; a tag refers to its own dataset only."""
    return not key.startswith(TAGS) or key.startswith(f"{TAGS}{ref.name}/")
