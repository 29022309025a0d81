"""A folder with tables that no layout reads says so, and what the nearest layout lacks."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.registry import open_archive
from tasks.corpora.archives.unread import unread_tables


@pytest.mark.parametrize(("name", "text", "told"), [
    ("labels.csv", "Image Index,Finding Labels\n", r"is nearest to nih, which needs the column Patient ID"),
    ("all.csv", "Path,Edema\n", r"all\.csv is nearest to chexpert, which needs the column Cardiomegaly or section_"),
    ("master.csv", "image index,finding labels,patient id\n",
     r"master\.csv has the columns of nih: give it the name that is looked for \(Data_Entry\*\.csv\)"),
    ("x.tsv", "ImageId\tEncodedPixels\n", r"x\.tsv has the columns of siim"),
    ("x.csv", "file;x\n", r"1 tables that no layout reads \(x\.csv\); to read"),
    ("labels.xlsx", "", r"labels\.xlsx"), ("labels.json", "{}", r"labels\.json"),
    ("deep/er/a.parquet", "", "a.parquet"),
    ("labels.csv.gz", "a,b\n", r"labels\.csv\.gz"),
])  # fmt: skip
def test_the_tables_are_named_and_so_is_the_way_out(tree, name: str, text: str, told: str) -> None:
    tree.image("film.png")
    tree.text(name, text)
    with pytest.raises(ArchiveError, match=told) as error:
        open_archive(tree.root)
    assert str(error.value).endswith("to read the films alone, without the tables: --layout folder")
    assert "\n" not in str(error.value)


def test_the_films_alone_are_read_where_that_is_asked_and_the_tables_are_noted(tree) -> None:
    tree.image("film.png")
    for name in ("a.csv", "b.csv", "c.csv", "d.csv"):
        tree.text(name, "x,y\n")
    films, notes = tree.read("folder")
    assert [film.film for film in films] == ["film.png"]
    assert notes["tables that the layout folder does not read (a.csv, b.csv, c.csv and 1 more)"] == 4


def test_a_layout_notes_the_tables_that_it_does_not_read(tree) -> None:
    tree.text("Data_Entry_2017.csv", "Image Index,Finding Labels,Patient ID\na.png,Mass,1\n")
    tree.text("Data_Entry_more.tsv", "Image Index\tFinding Labels\tPatient ID\nb.png\tMass\t1\n")
    tree.text("my_splits.csv", "id,split\n")
    films, notes = tree.read()
    assert [film.film for film in films] == ["a.png", "b.png"]
    assert notes == {"tables that the layout nih does not read (my_splits.csv)": 1}


def test_what_an_audit_wrote_and_what_describes_one_image_is_no_table(tree) -> None:
    tree.image("film.png")
    tree.text("film.json", "{}")
    tree.text("audit/index.parquet", "")
    tree.text("audit/report.md", "")
    tree.text("audit/entities/bank.csv", "")
    tree.text(".hidden.csv", "")
    assert unread_tables(tree.root) == []
    assert open_archive(tree.root).layout == "folder"
