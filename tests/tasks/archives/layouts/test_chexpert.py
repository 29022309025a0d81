"""CheXpert's training, validation and test tables."""

from __future__ import annotations

import pytest

from tasks.archives.errors import ArchiveError
from tasks.archives.layouts.chexpert import OBSERVATIONS

NAMES = ",".join(OBSERVATIONS)
HEAD = f"Path,Sex,Age,Frontal/Lateral,AP/PA,{NAMES}\n"
BLANK = "," * 13


@pytest.mark.parametrize("release", ["CheXpert-v1.0-small/", "CheXpert-v1.0/", ""])
def test_the_name_of_the_release_in_a_path_does_not_matter(tree, release: str) -> None:
    image = "train/patient00001/study1/view1_frontal.jpg"
    tree.text("train.csv", HEAD + f"{release}{image},Female,68,Frontal,AP,1.0,,,,,,,,,0.0,,,,1.0\n")
    path = tree.image(image)
    (film,), _ = tree.read()
    assert (film.film, film.path, film.split) == (image, path, "train")
    assert (film.patient, film.study, film.sex, film.age) == ("patient00001", "patient00001/study1", "F", 68)
    assert film.labels == {"No Finding": 1, "Pneumothorax": 0, "Support Devices": 1}


def test_uncertain_stays_uncertain(tree) -> None:
    tree.text("train.csv", HEAD + "train/patient00001/study1/view1_frontal.jpg,Male,5,Frontal,PA,,,,,,-1.0,,,,,,,,\n")
    (film,), _ = tree.read()
    assert film.labels == {"Edema": -1}


@pytest.mark.parametrize(("cells", "view"), [
    ("Lateral,", "LATERAL"), ("Lateral,nan", "LATERAL"), ("Frontal,PA", "PA"), ("Frontal,LL", "LL"),
    ("Frontal,RL", "RL"), ("Frontal,", "FRONTAL"),
])  # fmt: skip
def test_a_lateral_film_has_no_ap_or_pa(tree, cells: str, view: str) -> None:
    tree.text("train.csv", HEAD + f"train/patient00001/study1/view2_lateral.jpg,Male,5,{cells},{BLANK}\n")
    (film,), _ = tree.read()
    assert film.view == view


def test_sex_unknown_and_age_zero_are_not_known(tree) -> None:
    tree.text("train.csv", HEAD + f"train/patient00001/study1/view1_frontal.jpg,Unknown,0,Frontal,AP,{BLANK}\n")
    (film,), _ = tree.read()
    assert (film.sex, film.age) == (None, None)


def test_test_labels_have_nothing_but_paths_and_labels(tree) -> None:
    tree.text("test_labels.csv", f"Path,{NAMES}\ntest/patient64741/study1/view1_frontal.jpg{',0.0' * 13},1.0\n")
    (film,), _ = tree.read()
    assert (film.split, film.view, film.sex, film.age) == ("test", "FRONTAL", None, None)
    assert len(film.labels) == 14


def test_a_study_of_the_ground_truth_is_all_its_images(tree) -> None:
    study = "test/patient64741/study1"
    tree.text(
        "groundtruth.csv",
        f"Study,{NAMES}\nCheXpert-v1.0/{study}{',0' * 13},1\nCheXpert-v1.0/test/patient2/study1,1{',0' * 13}\n",
    )
    for name in ("view1_frontal.jpg", "view2_lateral.jpg"):
        tree.image(f"{study}/{name}")
    films, notes = tree.read()
    assert [film.film for film in films][:2] == [f"{study}/view1_frontal.jpg", f"{study}/view2_lateral.jpg"]
    assert films[0].labels == films[1].labels
    assert films[1].view == "LATERAL"
    assert notes["studies without an image"] == 1
    assert not films[2].path.exists()  # told as missing when it is opened


def test_the_validation_folder_may_be_called_val(tree) -> None:
    path = tree.image("val/patient64541/study1/view1_frontal.jpg")
    tree.text(
        "valid.csv",
        HEAD + f"CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,{BLANK}\n",
    )
    (film,), _ = tree.read()
    assert (film.path, film.split) == (path, "valid")


@pytest.mark.parametrize(("row", "told"), [
    (f"train/patient00001/study1/view1_frontal.jpg,Male,5,Frontal,AP,2.0{BLANK}",
     r"train\.csv, line 2 \(train/patient00001/study1/view1_frontal\.jpg\), column No Finding: '2\.0' is no label"),
    (f"elsewhere/a.jpg,Male,5,Frontal,AP,{BLANK}", "'elsewhere/a.jpg' is no path of CheXpert"),
    (f"train/../../etc/view1_frontal.jpg,Male,5,Frontal,AP,{BLANK}", "is no path of CheXpert"),
])  # fmt: skip
def test_what_cannot_be_meant_is_an_error(tree, row: str, told: str) -> None:
    tree.text("train.csv", f"{HEAD}{row}\n")
    with pytest.raises(ArchiveError, match=told):
        tree.read()


def test_the_real_table(tree, packaged) -> None:
    table = packaged("torchxrayvision==1.5.7", "torchxrayvision/data/chexpert_train.csv.gz", "train.csv.gz")
    table.rename(tree.root / "train.csv.gz")
    films, _ = tree.read()
    assert len({film.film for film in films}) == 2000
    assert {film.view for film in films} == {"AP", "PA", "LATERAL"}
    assert {mark for film in films for mark in film.labels.values()} == {1, 0, -1}
