"""Selections live beside their dataset, create-only."""

import pytest

from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef, selection_key
from storage.open import open_store
from storage.versions import VersionPlace
from tasks.curate.keep import SelectionConflict, read_selection, write_selection
from tasks.curate.select import Choice, Selection
from tasks.recipe.curation import Rules

REF = DatasetRef("phantom-cxr", "v1")


def selection(*kept: bool) -> Selection:
    choices = [Choice(sample_id=f"s{at}", kept=keep, reason="" if keep else "test") for at, keep in enumerate(kept)]
    return Selection(rules=Rules(same_report=2), choices=choices)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path))


@pytest.mark.parametrize("chosen", [selection(True, False, True), selection()])
def test_a_selection_comes_back_whole(store, chosen):
    write_selection(VersionPlace(store, REF), "default", chosen)
    assert read_selection(VersionPlace(store, REF), "default") == chosen


def test_the_same_decision_may_be_written_again_and_another_may_not(store):
    write_selection(VersionPlace(store, REF), "default", selection(True, False))
    write_selection(VersionPlace(store, REF), "default", selection(True, False))
    with pytest.raises(SelectionConflict, match="take another selection name"):
        write_selection(VersionPlace(store, REF), "default", selection(True, True))
    assert read_selection(VersionPlace(store, REF), "default") == selection(True, False)


def test_a_missing_selection_is_named(store):
    with pytest.raises(ObjectMissing, match="no selection 'gold' of phantom-cxr/v1"):
        read_selection(VersionPlace(store, REF), "gold")


def test_an_object_of_another_kind_is_refused(store):
    store.put(selection_key(REF, "default", "selection.parquet"), b"junk")
    with pytest.raises(CorruptShard):
        read_selection(VersionPlace(store, REF), "default")
