"""COVIDx's lists, whose columns differ from version to version."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError

POSITIVE, NEGATIVE = {"COVID-19": 1}, {"COVID-19": 0}


def test_the_lists_of_kaggle_give_split_patient_class_and_source(tree) -> None:
    tree.text("train.txt", "5 ARDSSevere.png negative cohen\nCOVID 70 COVID(70).png positive sirm\n"
              "fe26 fe26.png negative rnsa\n")  # fmt: skip
    tree.text("val.txt", "S03044 sub-S03044_vp-pa.PNG positive bimcv\n")
    tree.text("test.txt", "419639-003251 MIDRC-0.png positive ricord\n")
    path = tree.image("test/MIDRC-0.png")
    (tested, validated, first, blank, misspelt), notes = tree.read()
    assert (tested.film, tested.path, tested.split, tested.labels) == ("MIDRC-0.png", path, "test", POSITIVE)
    assert (tested.patient, tested.labelled_by) == ("419639-003251", "ricord")
    assert (validated.split, validated.patient, validated.labelled_by) == ("val", "S03044", "bimcv")
    assert (first.patient, first.labels, first.split) == ("covidx-5", NEGATIVE, "train"), "a number is no id elsewhere"
    assert (blank.film, blank.patient, blank.labelled_by) == ("COVID(70).png", "COVID_70", "sirm"), (
        "as version 9 has it"
    )
    assert (misspelt.patient, misspelt.labelled_by) == ("fe26", "rsna")
    assert notes == {}


@pytest.mark.parametrize("line", [
    "a1 a.png COVID-19", "a1 a.png COVID-19 cohen", "a.png a1 COVID-19 cohen", "a1 COVID-19 a.png cohen",
    "\ta1  a.png\tcovid-19   cohen ",
])  # fmt: skip
def test_columns_are_told_by_what_stands_in_them(tree, line: str) -> None:
    tree.text("test_COVIDx3.txt", f"\n{line}\r\n")
    (film,), _ = tree.read()
    assert (film.film, film.patient, film.labels["COVID-19"], film.split) == ("a.png", "a1", 1, "test")


def test_lists_of_three_classes_and_of_two_are_joined(tree) -> None:
    tree.text("labels/test_COVIDx9A.txt", "a a.png normal rsna\nb b.png pneumonia rsna\nc c.png COVID-19 ricord\n")
    tree.text("labels/test_COVIDx9B.txt", "a a.png negative rsna\nb b.png negative rsna\nd d.png positive ricord\n")
    films, notes = tree.read()
    assert [film.labels for film in films] == [
        {"COVID-19": 0, "Pneumonia": 0, "No Finding": 1}, {"COVID-19": 0, "Pneumonia": 1, "No Finding": 0},
        {"COVID-19": 1, "Pneumonia": 0, "No Finding": 0}, POSITIVE,
    ]  # fmt: skip
    assert notes == {}


def test_a_film_of_two_splits_is_tested_on_and_a_contradiction_is_noted(tree) -> None:
    tree.text("train_COVIDx8B.txt", "a a.png positive rsna\n")
    tree.text("test_COVIDx9B.txt", "a a.png negative rsna\n")
    (film,), notes = tree.read()
    assert (film.split, film.labels) == ("test", NEGATIVE)
    assert notes == {
        "films of a test list that a train list names too": 1,
        "lines that say otherwise than one before of the same film, such as a.png; the first counts": 1,
    }


def test_films_of_one_name_in_two_folders_are_each_split_s_own(tree) -> None:
    tree.text("test.txt", "b same.png negative rsna\n")
    tree.image("train/same.png")
    path = tree.image("test/same.png")
    (film,), _ = tree.read()
    assert film.path == path


@pytest.mark.parametrize("line", ["a a.png", "a a.png maybe rsna", "a positive rsna"])
def test_a_line_without_file_or_class_is_an_error_with_its_number(tree, line: str) -> None:
    tree.text("test.txt", f"a a.png negative rsna\n{line}\n")
    with pytest.raises(ArchiveError, match=r"test\.txt, line 2: .* is no line of COVIDx"):
        tree.read("covidx")


def test_lists_of_severity_and_of_other_archives_are_none_of_these(tree) -> None:
    tree.text("test_COVIDxSev.txt", "SITE2 MIDRC-1.png level2 ricord\n")
    tree.text("train.txt", "00000001_000.png\n")
    tree.text("test.txt", "")
    with pytest.raises(ArchiveError, match="is no COVIDx: looked for train"):
        tree.read("covidx")
