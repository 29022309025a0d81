"""Images are decoded once per version and size, for all arms, within bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storage.errors import CorruptShard
from storage.objects import ObjectStore
from storage.shards import Sample
from tasks.pretrain import images
from tasks.pretrain.arms import Draw
from tasks.pretrain.images import ImageCache, image_of
from tasks.pretrain.subset import DatasetSubset, open_subset

KILO = 32 * 32
"""Bytes of an image in these tests."""


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The samples that were decoded."""
    known: list[str] = []
    decode = images.image_of

    def watched(sample: Sample, where: str, size: int) -> np.ndarray:
        known.append(f"{sample.key} at {size}")
        return decode(sample, where, size)

    monkeypatch.setattr(images, "image_of", watched)
    return known


def subset(store: ObjectStore, draw: Draw, pairs: int, seed: int = 0) -> DatasetSubset:
    return open_subset(store, draw.model_copy(update={"pairs": pairs}), seed)


def cache(kilobytes: int) -> ImageCache:
    made = ImageCache(0)
    made.limit = kilobytes << 10
    return made


def test_arms_share_what_is_decoded(store: ObjectStore, real: Draw, synthetic: Draw, decoded: list[str]) -> None:
    shared = ImageCache(1)
    one, other = subset(store, real, 20), subset(store, synthetic, 10)
    first = shared.images([one], 32)
    assert len(decoded) == 20
    again, both = shared.images([one], 32), shared.images([subset(store, real, 10), other], 32)
    assert len(decoded) == 30
    assert first is not None
    assert again is not None
    assert both is not None
    assert all(a is b for a, b in zip(first, again, strict=True))
    assert [image.shape for image in both] == [(32, 32)] * 20
    shared.images([one], 64)
    assert len(set(decoded)) == len(decoded) == 50


def test_what_does_not_fit_is_not_held(store: ObjectStore, real: Draw, decoded: list[str]) -> None:
    assert cache(19).images([subset(store, real, 20)], 32) is None
    assert decoded == []


def test_older_versions_make_room(store: ObjectStore, real: Draw, synthetic: Draw, decoded: list[str]) -> None:
    small = cache(25)
    small.images([subset(store, real, 20)], 32)
    small.images([subset(store, synthetic, 20)], 32)
    assert small.size == 20 * KILO
    small.images([subset(store, real, 20)], 32)
    assert len(decoded) == 60


def test_samples_that_nobody_asks_for_make_room(store: ObjectStore, real: Draw) -> None:
    small = cache(30)
    one, other = subset(store, real, 20), subset(store, real, 20, seed=1)
    small.images([one], 32)
    found = small.images([other], 32)
    assert found is not None
    assert len(found) == 20
    assert small.size <= small.limit


def test_another_version_of_the_name_is_another_image(store: ObjectStore, real: Draw, decoded: list[str]) -> None:
    shared, one = ImageCache(1), subset(store, real, 4)
    shared.images([one], 32)
    other = DatasetSubset(one.store, one.name, "another", one.parts, one.texts)
    shared.images([other], 32)
    assert len(decoded) == 8


def test_an_image_that_cannot_be_decoded_is_named() -> None:
    row: dict[str, Any] = {}
    with pytest.raises(CorruptShard, match="sample films/v1/s-1: "):
        image_of(Sample("s-1", b"no image", "report", row), "films/v1", 32)
