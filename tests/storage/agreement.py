"""Whether the objects of a version are those that its manifest names: what tests compare after each trial."""

from __future__ import annotations

import hashlib

from storage.errors import ManifestConflict
from storage.layout import DatasetRef
from storage.manifest import objects
from storage.objects import ObjectStore
from storage.records import Manifest, ObjectEntry


def check_objects(store: ObjectStore, ref: DatasetRef, manifest: Manifest, *, deep: bool = False) -> None:
    """Compare every object of the version with its manifest entry.

    Args:
        store, ref, manifest: what to compare.
        deep: also read every object and compare its SHA-256, not only its size.

    Raises:
        ManifestConflict: the message names every object that is missing or different.
    """
    sizes = {ref.relative(info.key): info.size for info in store.list(f"{ref.prefix}/")}
    wrong = [problem for entry in objects(manifest) if (problem := _problem(store, ref, entry, sizes, deep))]
    if wrong:
        raise ManifestConflict(f"{ref} in {store.root} does not agree with its manifest: {'; '.join(wrong)}")


def _problem(store: ObjectStore, ref: DatasetRef, entry: ObjectEntry, sizes: dict[str, int], deep: bool) -> str | None:
    size = sizes.get(entry.key)
    if size is None:
        return f"{entry.key} is missing"
    if size != entry.size:
        return f"{entry.key} has {size} bytes instead of {entry.size}"
    if deep and hashlib.sha256(store.get(ref.key(entry.key))).hexdigest() != entry.sha256:
        return f"{entry.key} has another SHA-256"
    return None
