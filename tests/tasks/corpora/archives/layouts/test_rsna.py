"""RSNA's two tables, both with a row per box."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import Box


def test_rows_of_one_image_are_one_film(tree) -> None:
    tree.text(
        "stage_2_train_labels.csv",
        "patientId,x,y,width,height,Target\na,,,,,0\nb,264,152,213,379,1\nb,562,152,256,453,1\nc,,,,,0\n",
    )
    tree.text(
        "stage_2_detailed_class_info.csv",
        "patientId,class\na,No Lung Opacity / Not Normal\nb,Lung Opacity\nb,Lung Opacity\nc,Normal\n",
    )
    path = tree.text("stage_2_train_images/b.dcm", "")
    tree.text("stage_2_test_images/d.dcm", "")
    (odd, opaque, normal, hidden), notes = tree.read()
    assert opaque.path == path
    assert opaque.boxes == (Box("Lung Opacity", 264, 152, 213, 379), Box("Lung Opacity", 562, 152, 256, 453))
    assert [film.labels for film in (odd, opaque, normal)] == [
        {"Lung Opacity": 0, "No Finding": 0}, {"Lung Opacity": 1, "No Finding": 0},
        {"Lung Opacity": 0, "No Finding": 1},
    ]  # fmt: skip
    assert (odd.boxes, odd.split, hidden.split, hidden.labels) == ((), "train", "test", {})
    assert notes == {"test images without labels": 1}


def test_labels_alone_are_enough(tree) -> None:
    tree.text("stage_2_train_labels.csv", "patientId,x,y,width,height,Target\na,,,,,0\n")
    assert tree.read()[0][0].labels == {"Lung Opacity": 0}


LABELS = "patientId,x,y,width,height,Target\n"


@pytest.mark.parametrize(("cell", "labels"), [("1.0", 1), ("True", 1), ("-1", -1), ("0.0", 0), ("", None)])
def test_targets_in_other_words(tree, cell: str, labels: int | None) -> None:
    tree.text("stage_2_train_labels.csv", f"index,{LABELS}0,a,,,,,{cell}\n")
    assert tree.read()[0][0].labels == ({} if labels is None else {"Lung Opacity": labels})


@pytest.mark.parametrize(("target", "classes", "told"), [
    ("2", "", r"stage_2_train_labels\.csv, line 2 \(a\), column Target: '2' is no label"),
    ("1", "a,Sick\n", r"class_info\.csv, line 2 \(a\), column class: 'Sick' is none of Normal"),
    ("1", "b,Normal\n", r"class_info\.csv, column patientId: no id in it \(such as 'b'\)"),
])  # fmt: skip
def test_what_cannot_be_meant_is_an_error(tree, target: str, classes: str, told: str) -> None:
    tree.text("stage_2_train_labels.csv", f"{LABELS}a,,,,,{target}\n")
    if classes:
        tree.text("stage_2_detailed_class_info.csv", f"patientId,class\n{classes}")
    with pytest.raises(ArchiveError, match=told):
        tree.read()


def test_images_that_contradict_themselves_are_noted(tree) -> None:
    tree.text("stage_2_train_labels.csv", f"{LABELS}a,,,,,0\na,1,2,3,4,1\n")
    (film,), notes = tree.read()
    assert film.labels == {"Lung Opacity": 1}
    assert notes == {"images with a row of lung opacity and one without": 1}
