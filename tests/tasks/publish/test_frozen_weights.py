"""Frozen hashes are compared file by file, and damaged ones are named."""

from __future__ import annotations

import pytest

from storage.errors import CorruptShard
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.versions import VersionPlace
from tasks.publish.frozen_weights import WeightsChanged, freeze_weights, weight_changes

ONE = {"images.model": {"a": "1", "b": "2"}}


@pytest.fixture
def place(local_store: LocalStore, ref: DatasetRef) -> VersionPlace:
    return VersionPlace(local_store, ref)


def test_the_same_weights_pass_and_others_are_named_file_by_file(place: VersionPlace) -> None:
    freeze_weights(place, ONE)
    freeze_weights(place, ONE)
    assert weight_changes(place, {"images.model": {"b": "3", "c": "4"}}) == [
        "images.model: a is missing",
        "images.model: b has other contents",
        "images.model: c is new",
    ]
    with pytest.raises(WeightsChanged, match=r"begun with other weights: images\.model: a is missing; .*put the"):
        freeze_weights(place, {"images.model": {"b": "2"}})


def test_a_model_that_came_later_or_is_elsewhere_is_not_compared(place: VersionPlace) -> None:
    freeze_weights(place, ONE)
    freeze_weights(place, ONE | {"reports.model": {"x": "9"}})
    freeze_weights(place, {})


def test_many_changes_are_cut_short(place: VersionPlace) -> None:
    freeze_weights(place, {"m": {str(n): "1" for n in range(9)}})
    with pytest.raises(WeightsChanged, match=r"4 has other contents \(and 4 more\)"):
        freeze_weights(place, {"m": {str(n): "2" for n in range(9)}})


@pytest.mark.parametrize("text", ["", "[]", '{"format": 1}', '{"format": 1, "weights": {"a": "b"}}'])
def test_damaged_hashes_are_named(place: VersionPlace, text: str) -> None:
    place.store.put(place.ref.weights, text.encode())
    with pytest.raises(CorruptShard, match=r"weights\.json.*restore it"):
        weight_changes(place, ONE)
