"""NIH ChestX-ray14 and its re-reads."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import Box

HEAD = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]\n"
)


def test_the_bracket_commas_do_not_shift_a_row(tree) -> None:
    tree.text("Data_Entry_2017_v2020.csv", HEAD + "00000001_000.png,Mass|Nodule,3,1,58,M,PA,2682,2749,0.143,0.144\n")
    path = tree.image("images_003/images/00000001_000.png")
    (film,), _ = tree.read()
    assert (film.film, film.path, film.patient, film.study) == ("00000001_000.png", path, "1", "1/3")
    assert (film.view, film.sex, film.age, film.split) == ("PA", "M", 58, None)


def test_a_header_quoted_into_nine_names_reads_the_same(tree) -> None:
    head = HEAD.replace("OriginalImage[Width,Height]", '"OriginalImage[Width,Height]"').replace("[x,y]", "[x y]")
    tree.text("Data_Entry_2017.csv", head + "a.png,Mass,0,7,58,F,AP,2682,2749,0.143,0.144\n")
    (film,), _ = tree.read()
    assert (film.patient, film.sex, film.view) == ("7", "F", "AP")


@pytest.mark.parametrize(("column", "age", "years"), [
    ("Patient Gender", "058Y", 58), ("Patient Sex", "7", 7), ("Patient Sex", "011M", 11 / 12),
    ("Patient Sex", "414", None),
])  # fmt: skip
def test_both_names_of_sex_and_every_kind_of_age(tree, column: str, age: str, years: float | None) -> None:
    tree.text(
        "Data_Entry_2017.csv.gz", HEAD.replace("Patient Gender", column) + f"a.png,Mass,0,7,{age},F,AP,1,1,1,1\n"
    )
    (film,), _ = tree.read()
    assert film.sex == "F"
    assert film.age == (pytest.approx(years) if years is not None else None)


def test_labels_are_whole_names(tree) -> None:
    rows = "a.png,Pleural_Thickening,0,1,1,F,AP,1,1,1,1\nb.png,No Finding,0,2,1,F,AP,1,1,1,1\n"
    tree.text("Data_Entry_2017.csv", HEAD + rows)
    (thick, clear), _ = tree.read()
    assert [name for name, mark in thick.labels.items() if mark] == ["Pleural_Thickening"]
    assert len(thick.labels) == 15
    assert [name for name, mark in clear.labels.items() if mark] == ["No Finding"]


def test_splits_and_boxes_stand_in_files_of_their_own(tree) -> None:
    tree.text("Data_Entry_2017.csv", HEAD + "".join(f"{n}.png,Infiltration,0,1,1,F,AP,1,1,1,1\n" for n in "abc"))
    tree.text("train_val_list.txt", "a.png\n")
    tree.text("test_list.txt", "b.png\n")
    tree.text(
        "BBox_List_2017.csv",
        "Image Index,Finding Label,Bbox [x,y,w,h],,,\nb.png,Infiltrate,225.08,547.0,86.7,79.1,,,\n"
        "b.png,Mass,1,2,3,4,,,\n",
    )
    (first, second, third), _ = tree.read()
    assert (first.split, second.split, third.split) == ("train", "test", None)
    assert second.boxes == (Box("Infiltration", 225.08, 547.0, 86.7, 79.1), Box("Mass", 1, 2, 3, 4))
    assert first.boxes == ()


def test_googles_radiologists_stand_above_the_labels(tree) -> None:
    rows = "a.png,No Finding,0,1,1,F,AP,1,1,1,1\nb.png,Pneumothorax,0,2,1,F,AP,1,1,1,1\n"
    tree.text("Data_Entry_2017.csv", HEAD + rows)
    more = HEAD.strip() + ",Fracture,Pneumothorax,Airspace opacity,Nodule or mass,Set Id\n"
    tail = ",0,1,1,F,AP,1,1,1,1,"
    tree.text(
        "google2019_nih-chest-xray-labels.csv",
        more + f"a.png,No Finding{tail}NO,NO,YES,NO,test\nb.png,Pneumothorax{tail}NO,NO,NO,NO,test\n",
    )
    (opaque, closed), _ = tree.read()
    assert (opaque.labels["No Finding"], opaque.labels["Airspace opacity"]) == (0, 1)
    assert closed.labels["Pneumothorax"] == 0
    assert opaque.labelled_by == "radiologists"


def test_two_tables_named_for_their_folders_keep_their_own_images(tree) -> None:
    for size in ("images_320", "images_64"):
        tree.text(f"Data_Entry_{size}.csv", HEAD + "a.png,Mass,0,1,1,F,AP,1,1,1,1\n")
        tree.image(f"{size}/a.png")
    films, _ = tree.read()
    assert [film.film for film in films] == ["images_320/a.png", "images_64/a.png"]
    assert films[1].path == tree.root / "images_64/a.png"


def test_a_missing_column_is_named_with_its_file(tree) -> None:
    path = tree.text("Data_Entry_2017.csv", HEAD.replace("Finding Labels", "Labels"))
    with pytest.raises(ArchiveError, match=f"{path} has no column Finding Labels; it has Image Index, Labels"):
        tree.read()


def test_a_missing_table_is_named(tree) -> None:
    with pytest.raises(ArchiveError, match=r"holds no Data_Entry\*\.csv \(plain or \.gz\)"):
        tree.read("nih")


def test_the_real_tables(tree, packaged) -> None:
    for name in ("Data_Entry_2017_v2020.csv.gz", "BBox_List_2017.csv.gz"):
        packaged("torchxrayvision==1.5.7", f"torchxrayvision/data/{name}", name).rename(tree.root / name)
    films, _ = tree.read()
    assert len({film.film for film in films}) == 2000
    assert {name for film in films for name in film.labels} == set(films[0].labels)  # no name but the fourteen
    assert all(film.sex and film.age and film.view for film in films)
    assert any(film.boxes for film in films)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_list_that_was_saved_with_a_mark_loses_no_film(tree, encoding: str) -> None:
    tree.text("Data_Entry_2017.csv", HEAD + "".join(f"{n}.png,Mass,0,1,1,F,AP,1,1,1,1\n" for n in "ab"))
    tree.text("train_val_list.txt", "").write_bytes("a.png \r\n\r\n".encode(encoding))
    tree.text("lists/Test_List.txt", "# held out\nimages/b.PNG\nelsewhere.png\n")
    films, notes = tree.read()
    assert [film.split for film in films] == ["train", "test"]
    assert notes == {"rows of Test_List.txt, train_val_list.txt without a film": 1}


@pytest.mark.parametrize(("name", "text"), [
    ("train_val_list.txt", "other.png\n"),
    ("BBox_List_2017.csv", "Image Index,Finding Label,Bbox [x,y,w,h]\nz,Mass,1,2,3,4\n"),
    ("google2019_nih.csv", "Image ID,Fracture,Pneumothorax,Airspace opacity,Nodule or mass\nz.png,NO,NO,NO,NO\n"),
])  # fmt: skip
def test_a_file_that_speaks_of_no_film_of_the_table_is_an_error(tree, name: str, text: str) -> None:
    tree.text("Data_Entry_2017.csv", HEAD + "a.png,Mass,0,1,1,F,AP,1,1,1,1\n")
    tree.text(name, text)
    with pytest.raises(
        ArchiveError, match=rf"{name}.*no id in it .*Data_Entry_2017\.csv, column Image Index .*'a\.png'"
    ):
        tree.read()


@pytest.mark.parametrize(("cell", "present"), [
    ("mass|Pleural Thickening", ["Mass", "Pleural_Thickening"]), ('"Mass, Nodule"', ["Mass", "Nodule"]),
    ("NO FINDING", ["No Finding"]), ("No Finding|Mass", ["Mass"]), ("Infiltrate", ["Infiltration"]), ("nan", None),
    ("", None), ("Pneumoperitoneum", ["Pneumoperitoneum"]),
])  # fmt: skip
def test_labels_in_other_words(tree, cell: str, present: list[str] | None) -> None:
    tree.text("Data_Entry_2017.csv", HEAD + f"a.png,{cell},0,1,1,F,AP,1,1,1,1\n")
    (film,), notes = tree.read()
    assert ([name for name, mark in film.labels.items() if mark] if film.labels else None) == present
    assert sum(notes.values()) == (present in (None, ["Pneumoperitoneum"]))


def test_bad_cells_name_row_and_film(tree) -> None:
    path = tree.text("Data_Entry_2017.csv", HEAD + "a.png,0|1,0,1,1,F,AP,1,1,1,1\n")
    with pytest.raises(ArchiveError, match=rf"{path}, line 2 \(a\.png\), column Finding Labels: '0' is no finding"):
        tree.read()
    tree.text("Data_Entry_2017.csv", HEAD + "a.png,Mass,0,1,1,F,AP,1,1,1,1\n")
    tree.text(
        "google2019_x.csv", "Image ID,Fracture,Pneumothorax,Airspace opacity,Nodule or mass\na.png,NO,ja,NO,NO\n"
    )
    with pytest.raises(
        ArchiveError, match=r"google2019_x\.csv, line 2 \(a\.png\), column Pneumothorax: 'ja' is no label"
    ):
        tree.read()


def test_an_index_a_float_patient_and_semicolons_change_nothing(tree) -> None:
    tree.text(
        "Data_Entry_2017.csv",
        "Unnamed: 0;image index;Patient ID;Finding Labels;Patient Age\n0;a.png;7.0;Mass;58,0\n",
    )
    (film,), _ = tree.read()
    assert (film.film, film.patient, film.age, film.labels["Mass"]) == ("a.png", "7", 58, 1)
    assert "" not in film.labels
