"""Which datasets and versions a store holds, and a version with its rows and samples."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from storage.errors import CorruptShard, DatasetMissing
from storage.layout import DATASETS, DatasetRef, split_version
from storage.manifest import find_manifest
from storage.objects import ObjectStore
from storage.records import Manifest, PairRow, RejectRow, ShardEntry
from storage.shards import Sample, read_samples
from storage.tables import R, from_parquet, read_table_object

__all__ = [
    "DatasetRef",
    "Version",
    "VersionPlace",
    "begun",
    "open_dataset",
    "published",
]


@dataclass(frozen=True, slots=True)
class VersionPlace:
    """Where a dataset version is or will be, whether anything of it is there or not."""

    store: ObjectStore
    ref: DatasetRef

    def __str__(self) -> str:
        return str(self.ref)


@dataclass(frozen=True, slots=True)
class Version(VersionPlace):
    """A dataset version with its manifest, its rows and its samples.

    `open` gives a published one. One about to be published is made with the manifest that is not written yet.
    """

    manifest: Manifest

    @staticmethod
    def open(store: ObjectStore, ref: DatasetRef) -> Version:
        """A published version.

        Raises:
            DatasetMissing: there is none; the message lists what there is.
            ManifestConflict: its manifest cannot be trusted.
        """
        return Version(store, ref, open_dataset(store, ref))

    def tars(self) -> list[str]:
        """Keys of its tars, in their order."""
        return [self.ref.key(entry.pairs.key) for entry in self.manifest.shards if entry.pairs is not None]

    def rows(self) -> Iterator[PairRow]:
        """Every accepted sample's row, shard by shard."""
        for shard in self.manifest.shards:
            yield from self.shard_rows(shard)

    def rejects(self) -> Iterator[RejectRow]:
        """Every rejected sample's row, shard by shard."""
        for shard in self.manifest.shards:
            yield from self.shard_rejects(shard)

    def samples(self, select: Container[str] | None = None) -> Iterator[Sample]:
        """Its films with report and row, in their order; of all, or of the ids in `select`."""
        return read_samples(self.store, self.tars(), select=select)

    def shard_rows(self, shard: ShardEntry) -> list[PairRow]:
        """The rows of the accepted samples of one of its shards."""
        return _rows(self.store, self.ref.key(shard.index.key), PairRow)

    def shard_rejects(self, shard: ShardEntry) -> list[RejectRow]:
        """The rows of the rejected samples of one of its shards."""
        return _rows(self.store, self.ref.key(shard.rejects.key), RejectRow)

    def shard_samples(self, shard: ShardEntry) -> Iterator[Sample]:
        """The films of one of its shards, with report and row; none where it has no tar."""
        return read_samples(self.store, [self.ref.key(shard.pairs.key)] if shard.pairs is not None else [])


def published(store: ObjectStore) -> list[DatasetRef]:
    """Every version that has a manifest, sorted by name and version."""
    found = (split_version(info.key) for info in store.list(DATASETS))
    refs = [part[0] for part in found if part is not None and part[1] == "manifest.json"]
    return sorted(refs, key=lambda ref: (ref.name, ref.version))


def begun(store: ObjectStore, name: str = "") -> list[DatasetRef]:
    """Every version of which there is any object of ours, published or not; of the dataset `name`, or of all."""
    keys = (info.key for info in store.list(f"{DATASETS}{name}/" if name else DATASETS))
    found = {part[0] for key in keys if (part := split_version(key)) is not None}
    return sorted(found, key=lambda ref: (ref.name, ref.version))


def open_dataset(store: ObjectStore, ref: DatasetRef) -> Manifest:
    """The manifest of a published version.

    Raises:
        DatasetMissing: there is none; the message lists what there is.
    """
    manifest = find_manifest(store, ref)
    if manifest is None:
        raise DatasetMissing(_missing(store, ref))
    return manifest


def _rows(store: ObjectStore, key: str, kind: type[R]) -> list[R]:
    try:
        return from_parquet(read_table_object(store, key), kind)
    except CorruptShard as error:
        raise CorruptShard(f"{store.uri(key)}: {error}; `synth verify` lists what else is damaged") from error


def _missing(store: ObjectStore, ref: DatasetRef) -> str:
    there = published(store)
    versions = [other.version for other in there if other.name == ref.name]
    if versions:
        return f"dataset {ref.name!r} has no version {ref.version!r} in {store.root}; it has: {', '.join(versions)}"
    begun = next(iter(store.list(f"{ref.prefix}/")), None) is not None
    hint = " (it was begun, but has no manifest yet: run `synth run` again to finish it)" if begun else ""
    names = ", ".join(sorted({other.name for other in there})) or "none"
    return f"no dataset {ref} in {store.root}{hint}; datasets there: {names}"
