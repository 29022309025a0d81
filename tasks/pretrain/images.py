"""Decode images of a dataset version at a model's size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import CorruptShard
from storage.layout import DatasetRef
from storage.png import decode_png
from storage.records import Manifest
from storage.shards import Sample, read_samples
from storage.versions import tar_keys

if TYPE_CHECKING:
    from storage.objects import ObjectStore


def read_images(store: ObjectStore, ref: DatasetRef, manifest: Manifest, ids: Sequence[str], size: int) -> np.ndarray:
    """The images (n, size, size) uint8 of the samples `ids`, in their order.

    Raises:
        CorruptShard, ObjectMissing: the message names the tar or the sample.
    """
    place = {sample: at for at, sample in enumerate(ids)}
    images = np.zeros((len(ids), size, size), np.uint8)
    missing = set(place)
    for sample in read_samples(store, tar_keys(ref, manifest), select=place):
        images[place[sample.key]] = image_of(sample, str(ref), size)
        missing.discard(sample.key)
    if missing:
        raise CorruptShard(
            f"{len(missing)} samples that the index of {ref} names are in no tar, such as {min(missing)}; "
            "`synth verify` says what is damaged"
        )
    return images


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
