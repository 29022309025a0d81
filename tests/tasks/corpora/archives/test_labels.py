"""Label cells: what is a label, and what is refused with its row and film."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.labels import label_of, labels_in, strongest
from tasks.corpora.archives.tables import Row


def row(cell: str) -> Row:
    return Row([("Edema", cell)], Path("t.csv"), 7)


@pytest.mark.parametrize(("cell", "mark"), [
    ("1", 1), ("1.00", 1), (" 1 ", 1), ("True", 1), ("YES", 1), ("positive", 1), ("0", 0), ("0.0", 0), ("-0.0", 0),
    ("false", 0), ("No", 0), ("-1", -1), ("-1.0", -1), ("Uncertain", -1), ("", None), ("NaN", None), ("  ", None),
    ("unknown", None), ("null", None),
])  # fmt: skip
def test_a_label_is_present_absent_uncertain_or_not_said(cell: str, mark: int | None) -> None:
    assert label_of(row(cell), "Edema", "film 1") == mark


@pytest.mark.parametrize("cell", ["2", "0.5", "-2", "x", "1,0", "inf", "1 0", "1e400", "maybe", "/a/1.png"])
def test_anything_else_names_row_film_and_column(cell: str) -> None:
    with pytest.raises(ArchiveError) as error:
        label_of(row(cell), "Edema", "film 1")
    assert str(error.value) == f"t.csv, line 7 (film 1), column Edema: {cell!r} is no label: 1, 0, -1 or blank"


def test_blank_labels_and_missing_columns_are_left_out() -> None:
    assert labels_in(row("-1"), ("Edema", "Mass"), "film 1") == {"Edema": -1}
    assert labels_in(row(""), ("Edema",), "film 1") == {}


def test_who_sees_a_finding_stands_above_who_is_uncertain_and_who_does_not() -> None:
    marks = strongest({"a": [0, 1, -1], "b": [0, -1], "c": [0, 0], "d": []})
    assert marks == {"a": 1, "b": -1, "c": 0}
