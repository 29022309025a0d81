"""Take a source's pairs from its dataset: which samples, and their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.pretrain.arms import Draw

if TYPE_CHECKING:
    from storage.loader import Loader, Part
    from storage.objects import ObjectStore
    from storage.shards import Sample

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class DatasetSubset:
    """The chosen samples of one dataset version, by tar."""

    store: ObjectStore
    name: str
    parts: tuple[Part, ...]

    @property
    def pairs(self) -> int:
        return sum(part.samples for part in self.parts)

    def read(self) -> Iterator[Sample]:
        """The chosen samples in the order of the version, streamed from the store.

        Raises:
            CorruptShard, ObjectMissing: the message names the tar.
        """
        return self._loader(None).epoch(0)

    def shuffled(self, seed: int, epoch: int) -> Iterator[Sample]:
        """The same in an order that `seed` and `epoch` decide."""
        return self._loader(seed).epoch(epoch)

    def _loader(self, seed: int | None) -> Loader:
        from storage.loader import Loader

        return Loader(self.store, self.parts, seed=seed, block=_BLOCK)

    def film(self, sample: Sample, size: int) -> np.ndarray:
        """The sample's film as (size, size) uint8.

        Raises:
            CorruptShard: it cannot be decoded; the message names the sample.
        """
        from models.vlp.views import fit_film
        from storage.errors import CorruptShard
        from storage.png import decode_png

        try:
            return fit_film(decode_png(sample.png), size)
        except CorruptShard as error:
            raise CorruptShard(f"sample {self.name}/{sample.key}: {error}") from error


def open_subset(store: ObjectStore, source: Draw, seed: int) -> DatasetSubset:
    """Draw ``source.pairs`` of the source's pairs at random: those whose hash with `seed` is lowest.

    Whether a sample is drawn depends on its id and the seed, not on how the dataset is cut into shards.

    Raises:
        DatasetMissing: no such version.
        ValueError: the version has another fingerprint, or fewer pairs.
    """
    from storage.layout import DatasetRef
    from storage.loader import ids_by_tar, some_parts
    from storage.versions import open_dataset
    from tasks.curate.keep import read_selection

    ref = DatasetRef(source.dataset, source.version)
    manifest = open_dataset(store, ref)
    if manifest.fingerprint != source.fingerprint:
        raise ValueError(
            f"dataset {ref} has fingerprint {manifest.fingerprint[:12]}, but the arm was planned on "
            f"{source.fingerprint[:12]}: plan the arms again"
        )
    held = ids_by_tar(store, ref, manifest)
    if source.selection is not None:
        ids = read_selection(store, ref, source.selection).kept
    else:
        ids = [sample for samples in held.values() for sample in samples]
    if len(ids) < source.pairs:
        raise ValueError(f"dataset {ref} offers {len(ids)} pairs, but the arm takes {source.pairs}")
    chosen = sorted(ids, key=lambda sample: hashlib.sha256(f"{seed}/{sample}".encode()).digest())[: source.pairs]
    try:
        return DatasetSubset(store, str(ref), tuple(some_parts(held, chosen)))
    except ValueError as error:
        raise ValueError(f"dataset {ref}: {error}; `synth verify` says what is damaged") from error
