"""Images of dataset versions at a model's size: decoded and resized once, and cached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import CorruptShard
from storage.png import decode_png
from storage.shards import Sample

if TYPE_CHECKING:
    from tasks.pretrain.subset import DatasetSubset


class ImageCache:
    """Decoded images by version and size, shared by all trials of a run and bounded in memory.

    Args:
        megabytes: what all images together may take.
    """

    def __init__(self, megabytes: int) -> None:
        self.limit = megabytes << 20
        self._held: OrderedDict[tuple[str, str, int], dict[str, np.ndarray]] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes of the images that are held."""
        return sum(len(group) * key[2] * key[2] for key, group in self._held.items())

    def images(self, subsets: Sequence[DatasetSubset], size: int) -> list[np.ndarray] | None:
        """The images (size, size) uint8 of all samples of `subsets`, in their order; None where they do not fit.

        What is not held yet is read; the versions that were not asked for the longest make room for it.

        Raises:
            CorruptShard, ObjectMissing: the message names the tar or the sample.
        """
        each = size * size
        if sum(len(subset.ids) for subset in subsets) * each > self.limit:
            return None
        groups = [self._group(subset, size) for subset in subsets]
        lacking = [frozenset(subset.ids).difference(group) for subset, group in zip(subsets, groups, strict=True)]
        self._make_room(sum(map(len, lacking)) * each, subsets, size)
        for subset, group, missing in zip(subsets, groups, lacking, strict=True):
            if missing:
                for sample in subset.read(missing):
                    group[sample.key] = image_of(sample, subset.name, size)
        return [group[sample] for subset, group in zip(subsets, groups, strict=True) for sample in subset.ids]

    def _group(self, subset: DatasetSubset, size: int) -> dict[str, np.ndarray]:
        key = _key(subset, size)
        group = self._held.setdefault(key, {})
        self._held.move_to_end(key)
        return group

    def _make_room(self, needed: int, subsets: Sequence[DatasetSubset], size: int) -> None:
        wanted = {_key(subset, size): frozenset(subset.ids) for subset in subsets}
        for key in [key for key in self._held if key not in wanted]:
            if self.size + needed <= self.limit:
                return
            del self._held[key]
        if self.size + needed > self.limit:
            for key, ids in wanted.items():
                group = self._held[key]
                for sample in [sample for sample in group if sample not in ids]:
                    del group[sample]


def _key(subset: DatasetSubset, size: int) -> tuple[str, str, int]:
    return subset.name, subset.fingerprint, size


def image_of(sample: Sample, where: str, size: int) -> np.ndarray:
    """A sample's image (size, size) uint8; `where` names its version in errors.

    Raises:
        CorruptShard: it cannot be decoded; the message names the sample.
    """
    from models.vlp.views import fit_film

    try:
        return fit_film(decode_png(sample.png), size)
    except CorruptShard as error:
        raise CorruptShard(f"sample {where}/{sample.key}: {error}") from error
