"""A version records the lists that its films were chosen by, and another list than the published one is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from storage.local import LocalStore
from tasks.ingest.ingest import ingest
from tasks.recipe.sources import SourceSection

LIST = "00000001.png\n"


@pytest.fixture
def asked(nih: Path) -> SourceSection:
    """The small archive of NIH's layout with a test list of one film."""
    (nih / "test_list.txt").write_text(LIST)
    return SourceSection.model_validate({"source": f"nih:{nih}", "name": "films", "size": 64, "split": "test"})


def test_the_manifest_and_the_card_have_each_lists_hash(tmp_path: Path, asked: SourceSection) -> None:
    store = LocalStore(tmp_path / "store")
    done = ingest(store, asked)
    lists = {each["file"]: each for each in done.manifest.statistics["lists"]}
    assert [*lists] == ["BBox_List_2017.csv", "Data_Entry_2017.csv", "test_list.txt"]
    digest = hashlib.sha256(LIST.encode()).hexdigest()
    assert (lists["test_list.txt"]["sha256"], lists["test_list.txt"]["entries"]) == (digest, 1)
    card = store.get(done.ref.card("README.md")).decode()
    assert f"| test\\_list.txt | `{digest}` | 1 | no: 1 entries, published are 25596 |" in card
    assert "| 12 | not known |" in card


def test_another_list_is_told_and_not_refused_also_where_the_version_is_there(
    tmp_path: Path, asked: SourceSection
) -> None:
    store = LocalStore(tmp_path / "store")
    told = "test_list.txt is not as published (1 entries, published are 25596; "
    for new in (True, False):
        done = ingest(store, asked)
        assert (done.new, done.manifest.accepted) == (new, 1)
        assert any(note.startswith(told) for note in done.notes)
