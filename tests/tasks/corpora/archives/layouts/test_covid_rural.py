"""COVID-19 Rural: films and masks of one name in two folders, people and splits in tables."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.masks import decode_masks

SICK, CLEAR, BARE = (
    f"COVID-19-AR-{patient}_{date}-2012-XR"
    for patient, date in ((16406488, "01-08"), (16406488, "01-15"), (16406489, "01-26"))
)
INFO = "PATIENT_ID,AGE,SEX,RACE,ZIP\nCOVID-19-AR-16406488,67,M,WHITE,720\nCOVID-19-AR-16434381,44,F,WHITE,721\n"
AREA = np.zeros((8, 6), np.uint8)
AREA[2:4, 1:3] = 1


def test_films_have_their_masks_and_their_patients(tree) -> None:
    path = tree.image(f"jpgs/{SICK}.jpg")
    tree.text(f"jpgs/{SICK}.json", "{}")
    tree.image(f"jpgs/{CLEAR}.jpg")
    tree.image(f"pngs_masks/{SICK}.png", AREA)
    tree.image(f"pngs_masks/{CLEAR}.png", np.zeros_like(AREA))
    tree.image(f"manual_segmentations_model_predictions/{SICK}.jpg.png", AREA)
    tree.text("covid_rural_patient_info.csv", INFO)
    tree.text("covid_rural_radiologist_notes.csv", "patient_id,Diag to img study (days)\nCOVID-19-AR-16406488,-7\n")
    (sick, clear), notes = tree.read()
    assert (sick.film, sick.path, sick.labels, clear.labels) == (SICK, path, {"Opacity": 1}, {"Opacity": 0})
    (mask,) = sick.masks
    assert (decode_masks(mask.runs, mask.width, mask.height) == AREA).all()
    assert clear.masks == ()
    assert (sick.patient, sick.study) == ("COVID-19-AR-16406488", "COVID-19-AR-16406488/01-08-2012")
    assert (sick.sex, sick.age, sick.split, sick.view) == ("M", 67, None, None)
    assert notes == {"rows of covid_rural_patient_info.csv without a film": 1}


def test_the_whole_repository_is_read_from_its_root(tree) -> None:
    tree.image(f"covid_rural_annot/jpgs/{SICK}.jpg")
    tree.image(f"covid_rural_annot/pngs_masks/{SICK}.png", AREA)
    tree.image("covid-chestxray-dataset/selected_images_masks/gr1_lrg-b.png", AREA)
    (film,), _ = tree.read()
    assert film.film == SICK


@pytest.mark.parametrize(("table", "head", "cell", "split"), [
    ("train.csv", "filepath", f"covid_rural_annot/jpgs/{SICK}.jpg", "train"),
    ("validation.csv", "ID", SICK, "valid"), ("test.csv", "filepath", SICK, "test"),
])  # fmt: skip
def test_lists_give_the_split(tree, table: str, head: str, cell: str, split: str) -> None:
    tree.image(f"jpgs/{SICK}.jpg")
    tree.image(f"pngs_masks/{SICK}.png", AREA)
    tree.text(table, f"{head}\n{cell}\n")
    (film,), _ = tree.read()
    assert film.split == split


def test_what_lacks_a_mask_has_no_label(tree) -> None:
    tree.image(f"jpgs/{SICK}.jpg")
    tree.image(f"jpgs/{BARE}.jpg")
    tree.text(f"pngs_masks/{SICK}.png", "no picture")
    tree.image(f"pngs_masks/{CLEAR}.png", AREA)
    films, notes = tree.read()
    assert [(film.labels, film.masks) for film in films] == [({}, ()), ({}, ())]
    broken = next(note for note in notes if "cannot be read" in note)
    assert broken.startswith(f"masks that cannot be read, such as {SICK}.png (")
    assert {note: notes[note] for note in notes if note != broken} == {
        "films without a mask": 1, "masks without a film": 1
    }  # fmt: skip


@pytest.mark.parametrize("values", [[0, 1, 255], [0, 64, 128]])
def test_all_that_is_not_0_is_inside_whatever_the_values(tree, values: list[int]) -> None:
    area = np.array(values, np.uint8).reshape(1, 3)
    tree.image(f"jpgs/{SICK}.jpg")
    tree.image(f"pngs_masks/{SICK}.png", np.stack([area] * 3, axis=2))
    (film,), notes = tree.read()
    assert decode_masks(film.masks[0].runs, 3, 1).tolist() == [[0, 1, 1]]
    assert notes == {"masks with more than one value inside, all taken as one area": 1}


def test_without_masks_it_is_another_archive(tree) -> None:
    tree.image(f"jpgs/{SICK}.jpg")
    with pytest.raises(ArchiveError, match="is no COVID-19 Rural: looked for a folder pngs_masks"):
        tree.read("covid_rural")
