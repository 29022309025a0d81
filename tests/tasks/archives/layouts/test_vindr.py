"""VinDr-CXR as PhysioNet and as Kaggle publish it."""

from __future__ import annotations

import pytest

from tasks.archives.errors import ArchiveError
from tasks.archives.film import Box

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
