"""CheXpert's training, validation and test tables."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS
from tasks.corpora.archives.registry import open_archive

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


BATCHES = (
    "CheXpert-v1.0 batch 1 (validate & csv)",
    "CheXpert-v1.0 batch 2 (train 1)",
    "CheXpert-v1.0 batch 3 (train 2)",
)


def test_the_batches_that_the_release_comes_in(tree) -> None:
    first, *train = BATCHES
    places = [f"{first}/valid/patient64541", *(f"{batch}/patient{at:05}" for at, batch in enumerate(train, start=1))]
    paths = [tree.image(f"{place}/study1/view1_frontal.jpg") for place in places]
    row = "CheXpert-v1.0/{}/study1/view1_frontal.jpg,Male,5,Frontal,AP" + BLANK + ",1.0\n"
    tree.text(f"{first}/train.csv", HEAD + row.format("train/patient00001") + row.format("train/patient00002"))
    tree.text(f"{first}/valid.csv", HEAD + row.format("valid/patient64541"))
    films, notes = tree.read()
    assert sorted(film.path for film in films) == sorted(paths)
    assert [film.split for film in films] == ["train", "train", "valid"]
    assert not notes


def test_one_batch_alone_says_that_there_are_others(tmp_path) -> None:
    for batch in BATCHES:
        (tmp_path / batch).mkdir()
    (tmp_path / BATCHES[0] / "train.csv").write_text(HEAD + f"train/patient1/study1/view1_frontal.jpg,,,,{BLANK}\n")
    archive = open_archive(tmp_path / BATCHES[0])
    assert len(list(archive.films())) == 1
    assert archive.notes["batches beside this folder, which are read where their common folder is given"] == 2


PLUS = "path_to_image,path_to_dcm,frontal_lateral,ap_pa,section_findings,section_impression,age,sex,split\n"


def test_chexpert_plus_has_reports_in_its_table_and_labels_beside_it(tree) -> None:
    image = "train/patient1/study2/view1_frontal"
    tree.text(
        "df_chexpert_plus_240401.csv",
        PLUS + f'{image}.jpg,{image}.dcm,Frontal,AP,"Two\nlines, here.",Edema.,62.0,Female,train\n'
        "valid/patient2/study1/view1_lateral.jpg,,Lateral,,,,,,valid\n",
    )
    tree.text("chexbert_labels/report_fixed.json", f'{{"path_to_image": "{image}.jpg", "Edema": 1.0, "Mass": null}}\n'
              f'{{"path_to_image": "{image}.jpg", "Edema": 1.0}}\n')  # fmt: skip
    tree.text("chexbert_labels/findings_fixed.json", f'{{"path_to_image": "{image}.jpg", "Edema": 0.0}}\n')
    path = tree.image(f"PNG/PNG/{image}.png")
    (first, second), notes = tree.read()
    assert (first.film, first.path, first.split) == (f"{image}.jpg", path, "train")
    assert first.report == "FINDINGS: Two\nlines, here.\n\nIMPRESSION: Edema."
    assert (first.labels, first.view, first.sex, first.age) == ({"Edema": 1}, "AP", "F", 62)
    assert (second.view, second.report, second.labels) == ("LATERAL", None, {})
    assert notes == {
        "films without labels in report_fixed.json": 1, "rows of report_fixed.json that repeat an id": 1,
    }  # fmt: skip


def test_chexpert_pluss_labels_must_be_of_its_films(tree) -> None:
    tree.text("df_chexpert_plus_240401.csv", PLUS + "train/patient1/study1/view1_frontal.jpg,,Frontal,,,,,,\n")
    tree.text("report_fixed.json", '{"path_to_image": "train/patient9/study1/view1_frontal.jpg", "Edema": 1.0}\n')
    with pytest.raises(ArchiveError, match=r"report_fixed\.json, column path_to_image: no id in it"):
        tree.read()


@pytest.mark.parametrize("path", [
    "CheXpert-v1.0\\train\\patient1\\study1\\view1_frontal.jpg",
    "/data/train/x/train/patient1/study1/view1_frontal.jpg",
])  # fmt: skip
def test_paths_of_another_machine(tree, path: str) -> None:
    tree.text("train.csv", HEAD + f"{path},Male,5,Frontal,AP{BLANK}1\n")
    assert [film.film for film in tree.read()[0]] == ["train/patient1/study1/view1_frontal.jpg"]


def test_a_table_saved_again_with_its_index_and_only_some_columns(tree) -> None:
    tree.text("train.csv", "Unnamed: 0,cardiomegaly ,Edema,PATH\n0,1.0,-1.0,train/patient1/study1/view1_frontal.jpg\n")
    (film,), _ = tree.read()
    assert film.labels == {"Cardiomegaly": 1, "Edema": -1}
