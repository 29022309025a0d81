"""Ids are compared as ids, and what finds no partner is counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.joins import Side, id_of, image_of, study_of
from tasks.corpora.archives.tables import Row

TABLE, MAIN = Path("labels.csv"), Path("films.csv")


def side(*ids: str) -> Side[str]:
    found = Side[str]("labels", "study", study_of)
    for line, ident in enumerate(ids, start=2):
        found.add(Row([("study", ident)], TABLE, line), f"of {ident}")
    return found


@pytest.mark.parametrize("text", [
    "50414260", "50414260.0", "50414260.", " 50414260 ", "'50414260'", '"50414260"', "0050414260", "5.041426e7",
    "5.0414260E+07", "5.041426e+007", "s50414260", "S50414260.0",
])  # fmt: skip
def test_a_study_is_one_however_a_program_wrote_its_number(text: str) -> None:
    assert study_of(text) == "50414260"


@pytest.mark.parametrize(("text", "ident"), [
    ("", ""), (None, ""), ("nan", ""), ("0", "0"), ("02aa804e-bde0", "02aa804e-bde0"), ("1.2.840.113", "1.2.840.113"),
    ("1e999999", "1e999999"), ("1234e5678901234567890123456789ab", "1234e5678901234567890123456789ab"),
    ("50414260.5", "50414260.5"), ("p10", "p10"), ("-5", "-5"),
])  # fmt: skip
def test_what_is_no_number_stays_as_it_is(text: str | None, ident: str) -> None:
    assert id_of(text) == ident


@pytest.mark.parametrize("text", ["a_000.png", "images/a_000.PNG", "C:\\films\\a_000.jpeg", " a_000 ", "'a_000.dcm'"])
def test_an_image_is_one_in_any_folder_and_with_any_ending(text: str) -> None:
    assert image_of(text) == "a_000"


def test_both_sides_say_how_many_found_no_partner() -> None:
    labels, notes = side("s1", "2.0", "3", "nan"), Counter[str]()
    assert [labels.of(study) for study in ("1", "2", "2", "9")] == ["of s1", "of 2.0", "of 2.0", None]
    labels.close(MAIN, "study_id", notes)
    assert +notes == {
        "films without labels in labels.csv": 1, "rows of labels.csv without a film": 1,
        "rows of labels.csv without an id": 1,
    }  # fmt: skip


def test_two_tables_that_share_no_id_are_an_error_with_an_example_of_each() -> None:
    labels = side("x1")
    labels.of("50414260")
    with pytest.raises(
        ArchiveError,
        match=r"labels\.csv, column study: .*'x1'.* films\.csv, column study_id .*'50414260'.* labels of it",
    ):
        labels.close(MAIN, "study_id", Counter())


def test_a_table_without_rows_is_no_error() -> None:
    empty, notes = side(), Counter[str]()
    assert empty.of("1") is None
    empty.close(MAIN, "study_id", notes)
    assert not +notes


@pytest.mark.parametrize("blank", ["", "nan", " "])
def test_a_table_whose_every_id_is_blank_is_refused(blank: str) -> None:
    labels = side(blank, blank)
    labels.of("1")
    with pytest.raises(ArchiveError, match=r"labels\.csv, column study: no row has an id"):
        labels.close(MAIN, "study_id", Counter())


def test_a_row_that_says_otherwise_is_told_with_its_line_and_the_first_counts() -> None:
    labels, notes = side("1"), Counter[str]()
    labels.add(Row([("study", "s1")], TABLE, 8), "of 1")
    labels.add(Row([("study", "1.0")], TABLE, 9), "something else")
    assert labels.of("1") == "of 1"
    labels.close(MAIN, "study_id", notes)
    assert notes["rows of labels.csv that repeat an id"] == 1
    (told,) = (note for note in notes if "otherwise" in note)
    assert told.endswith("(the first is 1 in line 9)")


def test_rounded_ids_are_refused_even_where_some_meet() -> None:
    labels = side("5.04143e+07", "5.04143e+07", "5.04144e+07")
    labels.of("50414300")
    with pytest.raises(ArchiveError, match=r"labels\.csv, column study: 3 of 3 ids are rounded .*5\.04143e\+07"):
        labels.close(MAIN, "study_id", Counter())
