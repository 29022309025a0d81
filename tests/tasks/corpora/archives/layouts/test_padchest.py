"""PadChest's one table."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.layouts.padchest import labels_of

HEAD = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,Projection,ReportID,Report,"
    "MethodLabel,Labels\n"
)


def rows(tree, *rows: str):
    tree.text("PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", HEAD + "".join(f"{row}\n" for row in rows))
    return tree.read()


def test_a_row_with_everything(tree) -> None:
    path = tree.image("0/a.png")
    (film,), _ = rows(tree, "0,a.png,0,20140915,s1,p1,1930.0,F,PA,1,sin hallazg,Physician,\"['normal', ' exclude ']\"")
    assert (film.film, film.path, film.patient, film.study) == ("a.png", path, "p1", "s1")
    assert (film.view, film.sex, film.age, film.labelled_by) == ("PA", "F", 84, "Physician")
    assert film.labels == {"normal": 1, "exclude": 1}
    assert film.report == "sin hallazg"


@pytest.mark.parametrize("cell", ["nan", "", "['normal'", "normal", "3", "__import__('os').system('true')"])
def test_labels_that_cannot_be_read_are_counted(tree, cell: str) -> None:
    (film,), notes = rows(tree, f'0,a.png,0,20140915,s1,p1,nan,O,UNK,1,nan,RNN_model,"{cell}"')
    assert (film.labels, film.sex, film.age, film.report) == ({}, None, None, None)
    assert notes == {"rows whose labels cannot be read": 1}
    assert film.labelled_by == "RNN_model"


def test_blanks_inside_labels_and_repeats() -> None:
    assert labels_of("['pleural effusion ', 'pleural effusion', '', 'unchanged']") == ["pleural effusion", "unchanged"]


def test_an_image_that_is_not_there_keeps_its_place(tree) -> None:
    (film,), _ = rows(tree, "0,gone.png,7,20140915,s1,p1,1930,M,AP_horizontal,1,x,Physician,['normal']")
    assert film.path == tree.root / "gone.png"


def test_the_real_table(tree, packaged) -> None:
    name = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz"
    packaged("torchxrayvision==1.5.7", f"torchxrayvision/data/{name}", name).rename(tree.root / name)
    films, _ = tree.read()
    assert 1800 < len({film.film for film in films}) < 2000  # some reports have several lines
    assert all(film.patient and film.view and film.report for film in films)
    assert {film.labelled_by for film in films} <= {"Physician", "RNN_model"}
    assert not any(name != name.strip() for film in films for name in film.labels)


@pytest.mark.parametrize("cell", ["['a' 'b c']", "['a'\n 'b c']", "['a', 'b c']", '["a", "b c"]'])
def test_a_list_as_another_program_prints_it(cell: str) -> None:
    assert labels_of(cell) == ["a", "b c"]
