"""VinDr-CXR as PhysioNet and as Kaggle publish it."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import Box

KAGGLE = "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max\n"


def test_one_reader_is_enough_in_kaggles_table(tree) -> None:
    tree.text("train.csv", KAGGLE + "a,No finding,14,R1,,,,\na,Cardiomegaly,3,R2,10,20,110,70\n"
              "a,No finding,14,R3,,,,\nb,No finding,14,R1,,,,\nb,No finding,14,R2,,,,\n")  # fmt: skip
    path = tree.text("train/a.dicom", "")
    tree.text("test/c.dicom", "")
    (seen, clear, hidden), notes = tree.read()
    assert (seen.path, seen.labels) == (path, {"Cardiomegaly": 1, "No finding": 0})
    assert seen.boxes == (Box("Cardiomegaly", 10, 20, 100, 50),)
    assert (clear.labels, clear.boxes) == ({"Cardiomegaly": 0, "No finding": 1}, ())
    assert (hidden.film, hidden.split, hidden.labels) == ("c", "test", {})
    assert notes == {"test images without labels": 1}


def test_physionets_tables_have_readers_in_training_and_none_in_test(tree) -> None:
    tree.text("annotations/image_labels_train.csv", "image_id,rad_id,Edema,ILD,No finding\na,R1,0,0,1\na,R2,1,0,0\n")
    tree.text("annotations/annotations_train.csv", "image_id,rad_id,class_name,x_min,y_min,x_max,y_max\n"
              "a,R1,No finding,,,,\na,R2,Edema,1.5,2,3.5,5\n")  # fmt: skip
    tree.text("annotations/image_labels_test.csv", "image_id,Edema,ILD,No finding\nb,0,0,1\n")
    tree.text("annotations/annotations_test.csv", "image_id,class_name,x_min,y_min,x_max,y_max\nb,No finding,,,,\n")
    (train, test), _ = tree.read()
    assert train.labels == {"Edema": 1, "ILD": 0, "No finding": 0}
    assert train.boxes == (Box("Edema", 1.5, 2, 2, 3),)
    assert (test.split, test.labels, test.boxes) == ("test", {"Edema": 0, "ILD": 0, "No finding": 1}, ())


def test_a_folder_without_its_tables_is_told(tree) -> None:
    tree.text("train.csv", "Path,Sex\n")
    with pytest.raises(ArchiveError, match="is no VinDr-CXR: looked for annotations_train"):
        tree.read("vindr")


WIDE = "image_id,rad_id,Cardiomegaly,Edema,No finding\n"


@pytest.mark.parametrize(("head", "cells", "told"), [
    ("", "0", "without a name, left out"), ("Unnamed: 0", "0", "Unnamed: 0 (its name)"),
    ("Unnamed: 0.1", "1", "Unnamed: 0.1 (its name)"), ("index", "0", "index (its name)"),
    ("level_0", "1", "level_0 (its name)"), ("study_id", "1", "study_id (its name)"), ("fold", "1", "fold (its name)"),
    ("path", "/a/1.png", "path ('/a/1.png' in line 2)"), ("score", "0.7", "score ('0.7' in line 2)"),
    ("note", "", "note (no cell of it says anything)"), ("Age", "61", "Age ('61' in line 2)"),
])  # fmt: skip
def test_a_column_that_is_no_label_is_left_out_and_said_so(tree, head: str, cells: str, told: str) -> None:
    rows = "".join(f"{cells},{row}\n" for row in ("a,R1,0,0,1", "b,R1,1,0,0", "c,R1,0,0,1"))
    tree.text("image_labels_train.csv", f"{head},{WIDE}{rows}")
    films, notes = tree.read()
    assert [film.labels for film in films] == [
        {"Cardiomegaly": mark, "Edema": 0, "No finding": 1 - mark} for mark in (0, 1, 0)
    ]
    (note,) = notes
    assert told in note


def test_a_column_that_numbers_two_rows_is_no_label_though_its_cells_could_be(tree) -> None:
    tree.text("image_labels_train.csv", f"n,{WIDE}0,a,R1,0,0,1\n1,b,R1,0,0,1\n")
    films, notes = tree.read()
    assert [film.labels["No finding"] for film in films] == [1, 1]
    assert notes == {"columns of image_labels_train.csv left out as no labels: n (it numbers the rows)": 1}


def test_findings_that_another_release_has_are_labels_by_their_cells(tree) -> None:
    tree.text(
        "image_labels_train.csv",
        "rad_ID,IMAGE_ID,Bronchitis,edema,No Finding\nR1,a,1,0,0\nR1,b,0,,1\nR1,c,0,-1,1\nR1,d,0,0,1\n",
    )
    films, notes = tree.read()
    assert [film.labels for film in films] == [
        {"Bronchitis": 1, "Edema": 0, "No finding": 0}, {"Bronchitis": 0, "No finding": 1},
        {"Bronchitis": 0, "Edema": -1, "No finding": 1}, {"Bronchitis": 0, "Edema": 0, "No finding": 1},
    ]  # fmt: skip
    assert notes == {"columns of image_labels_train.csv that VinDr-CXR does not have, taken as labels: Bronchitis": 1}


def test_without_finding_is_what_readers_say_and_no_column_that_was_cut_away_makes_it_true(tree) -> None:
    tree.text("image_labels_test.csv", "image_id,Cardiomegaly,No finding\na,0,0\nb,1,1\nc,0,\n")
    films, _ = tree.read()
    assert [film.labels for film in films] == [
        {"Cardiomegaly": 0, "No finding": 0}, {"Cardiomegaly": 1, "No finding": 0}, {"Cardiomegaly": 0},
    ]  # fmt: skip


def test_a_reader_who_says_two_things_of_one_image_is_noted(tree) -> None:
    tree.text("image_labels_train.csv", f"{WIDE}a,R1,0,0,1\na,R1,1,0,0\na,R2,0,0,1\n")
    (film,), notes = tree.read()
    assert film.labels == {"Cardiomegaly": 1, "Edema": 0, "No finding": 0}
    assert sum(notes.values()) == 1


@pytest.mark.parametrize(("files", "told"), [
    ({"image_labels_train.csv": f"{WIDE}a,R1,0,maybe,1\n"},
     r"image_labels_train\.csv, line 2 \(a\), column Edema: 'maybe' is no label"),
    ({"image_labels_train.csv": "image_id,rad_id\na,R1\n"}, "has no column of labels"),
    ({"train.csv": KAGGLE + "a,3,3,R1,1,2,3,4\n"}, r"line 2 \(a\), column class_name: '3' is no finding"),
    ({"image_labels_train.csv": f"{WIDE}a,R1,0,0,1\n",
      "annotations_train.csv": "image_id,class_name,x_min,y_min,x_max,y_max\nb,Edema,1,2,3,4\n"},
     r"annotations_train\.csv, column image_id: no id in it \(such as 'b'\)"),
])  # fmt: skip
def test_what_cannot_be_meant_is_an_error(tree, files: dict[str, str], told: str) -> None:
    for name, text in files.items():
        tree.text(name, text)
    with pytest.raises(ArchiveError, match=told):
        tree.read()
