"""RSNA's two tables, both with a row per box."""

from __future__ import annotations

from tasks.archives.film import Box


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
