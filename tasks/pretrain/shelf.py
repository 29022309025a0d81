"""Take a source's pairs from its dataset: which samples, and their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.pretrain.arms import Source

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from storage.shards import Sample

_BUFFER = 1024


@dataclass(frozen=True, slots=True)
class Shelf:
    """The chosen samples of one dataset version: `select` among those in the tars under `keys`."""

    store: ObjectStore
    name: str
    keys: tuple[str, ...]
    select: frozenset[str]

    @property
    def pairs(self) -> int:
        return len(self.select)

    def read(self, shuffle_seed: int | None = None) -> Iterator[Sample]:
        """The chosen samples, streamed from the store.

        Raises:
            CorruptShard, ObjectMissing: the message names the tar.
        """
        from storage.shards import read_samples

        select = set(self.select)
        return read_samples(self.store, self.keys, select=select, shuffle_seed=shuffle_seed, buffer=_BUFFER)

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


def open_shelf(store: ObjectStore, source: Source, seed: int) -> Shelf:
    """Draw ``source.pairs`` of the source's pairs at random: those whose hash with `seed` is lowest.

    Whether a sample is drawn depends on its id and the seed, not on how the dataset is cut into shards.

    Raises:
        DatasetMissing: no such version.
        ValueError: the version has another fingerprint, or fewer pairs.
    """
    from storage.layout import DatasetRef
    from storage.versions import open_dataset, tar_keys

    ref = DatasetRef(source.dataset, source.version)
    manifest = open_dataset(store, ref)
    if manifest.fingerprint != source.fingerprint:
        raise ValueError(
            f"dataset {ref} has fingerprint {manifest.fingerprint[:12]}, but the arm was planned on "
            f"{source.fingerprint[:12]}: plan the arms again"
        )
    ids = sample_ids(store, source)
    if len(ids) < source.pairs:
        raise ValueError(f"dataset {ref} offers {len(ids)} pairs, but the arm takes {source.pairs}")
    chosen = sorted(ids, key=lambda sample: hashlib.sha256(f"{seed}/{sample}".encode()).digest())[: source.pairs]
    return Shelf(store, str(ref), tuple(tar_keys(ref, manifest)), frozenset(chosen))


def sample_ids(store: ObjectStore, source: Source) -> list[str]:
    """Ids that `source` may draw from: its selection's, or all of its dataset version."""
    from storage.layout import DatasetRef
    from storage.versions import open_dataset, pair_rows
    from tasks.curate.keep import read_selection

    ref = DatasetRef(source.dataset, source.version)
    if source.selection is not None:
        return read_selection(store, ref, source.selection).kept
    return [row.sample_id for row in pair_rows(store, ref, open_dataset(store, ref))]
