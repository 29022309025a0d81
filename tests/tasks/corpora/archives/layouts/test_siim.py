"""SIIM-ACR's run-length masks."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.corpora.archives.film import Box
from tasks.corpora.archives.layouts.siim import boxes_of, decode_masks


@pytest.mark.parametrize(("table", "head", "none"), [
    ("train-rle.csv", "ImageId, EncodedPixels", " -1"), ("stage_2_train.csv", "ImageId,EncodedPixels", "-1"),
])  # fmt: skip
def test_both_tables_and_both_ways_to_say_none(tree, table: str, head: str, none: str) -> None:
    tree.text(table, f"{head}\n1.2.3.850819,{none}\n1.2.4.1, 1025 3 1021 2\n")
    path = tree.text("dicom-images-train/1.2.9/1.2.8/1.2.3.850819.dcm", "")
    (closed, open_), _ = tree.read()
    assert (closed.path, closed.labels, closed.boxes) == (path, {"Pneumothorax": 0}, ())
    assert open_.labels == {"Pneumothorax": 1}
    assert open_.boxes == (Box("Pneumothorax", 1, 1, 2, 3),)  # x and y: the runs go down the columns


def test_several_masks_of_an_image_count_together(tree) -> None:
    tree.text("train-rle.csv", "ImageId, EncodedPixels\na, 0 2\na, 2048 3\n")
    (film,), _ = tree.read()
    assert film.boxes == (Box("Pneumothorax", 0, 0, 1, 2), Box("Pneumothorax", 2, 0, 1, 3))


def test_gaps_count_from_the_end_of_the_run_before() -> None:
    mask = decode_masks(["1 2 3 1", "0 1"], width=3, height=4)
    assert mask.tolist() == [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]]
    assert boxes_of(mask) == (Box("Pneumothorax", 0, 0, 2, 3),)


@pytest.mark.parametrize("runs", ["1", "1 x", "0 99", "-5 2"])
def test_a_mask_that_cannot_be_is_counted(tree, runs: str) -> None:
    with pytest.raises(ValueError, match=r"mask|run|literal"):
        decode_masks([runs], width=3, height=4)
    tree.text("train-rle.csv", f"ImageId, EncodedPixels\na,{runs.replace('99', '9999999')}\n")
    (film,), notes = tree.read()
    assert (film.labels, film.boxes) == ({"Pneumothorax": 1}, ())
    (note,) = notes
    assert note.startswith("masks that cannot be decoded, such as that of a (")


def test_an_empty_mask_has_no_box() -> None:
    assert boxes_of(np.zeros((4, 4), np.uint8)) == ()


def test_a_blank_cell_says_nothing_and_a_contradiction_is_noted(tree) -> None:
    tree.text("stage_2_train.csv", "Unnamed: 0,ImageId,EncodedPixels\n0,a,\n1,b,-1.0\n2,c,-1\n3,c,0 2\n")
    films, notes = tree.read()
    assert [film.labels for film in films] == [{}, {"Pneumothorax": 0}, {"Pneumothorax": 1}]
    assert notes == {
        "rows of stage_2_train.csv without a word in EncodedPixels": 1,
        "images both with a mask and without, taken as with one": 1,
    }
