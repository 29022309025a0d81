"""Which layout a folder has, and what is said where it has none."""

from __future__ import annotations

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.registry import LAYOUTS, open_archive


def test_nothing_known_lists_what_was_looked_for(tree) -> None:
    tree.text("readme.md", "")
    with pytest.raises(ArchiveError, match="holds no archive that is known") as error:
        open_archive(tree.root)
    assert all(f"{name}: " in str(error.value) for name in LAYOUTS)


def test_two_layouts_in_one_folder_are_asked_about(tree) -> None:
    tree.text("Data_Entry_2017.csv", "")
    tree.text("PADCHEST_x.csv", "")
    with pytest.raises(ArchiveError, match="looks like nih and like padchest: say which with --layout"):
        open_archive(tree.root)
    assert open_archive(tree.root, "nih").layout == "nih"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_wrong_layout_or_an_empty_folder_is_an_error_or_empty(tree, layout: str) -> None:
    if layout == "folder":
        assert tree.read("folder")[0] == []
        return
    with pytest.raises(ArchiveError, match=str(tree.root)):
        tree.read(layout)


def test_an_unknown_layout_names_the_known_ones(tree) -> None:
    with pytest.raises(ArchiveError, match="layout is 'nhi': it is one of auto, nih"):
        open_archive(tree.root, "nhi")
    with pytest.raises(ArchiveError, match="is no folder"):
        open_archive(tree.root / "nowhere")


def test_any_folder_of_images_with_reports_beside_them(tree) -> None:
    tree.image("Train/a/1.png")
    tree.image("test/2.JPG")
    tree.image(".cache/3.png")
    tree.text("Train/a/1.txt", " Clear lungs. ")
    (first, second), notes = tree.read()
    assert (first.film, first.split, first.report) == ("Train/a/1.png", "train", "Clear lungs.")
    assert (second.film, second.split, second.report) == ("test/2.JPG", "test", None)
    assert notes == {"images without a report": 1}


def test_a_damaged_table_is_named(tree) -> None:
    path = tree.text("Data_Entry_2017.csv.gz", "Image Index\n" * 9000)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArchiveError, match=r"Data_Entry_2017\.csv\.gz: Compressed file ended .*get it anew"):
        tree.read()


def test_a_table_in_latin_1_with_a_short_row(tree) -> None:
    path = tree.text("Data_Entry_2017.csv", "")
    path.write_bytes(b"Image Index,Finding Labels,Patient ID,View Position\n\n\xe9.png,Mass,1\n")
    (film,), _ = tree.read()
    assert (film.film, film.view) == ("é.png", None)


def test_a_film_that_stands_twice_is_read_once_and_what_differs_is_said(tree) -> None:
    head = "Image Index,Finding Labels,Patient ID\n"
    tree.text("Data_Entry_2017.csv", head + "a.png,Mass,1\na.png,Mass,1\na.png,Nodule,1\nb.png,Mass,2\n,Mass,3\n")
    (first, second), notes = tree.read()
    assert (first.labels["Mass"], first.labels["Nodule"], second.film) == (1, 0, "b.png")
    assert notes == {
        "rows that repeat a film": 1, "rows without the id of a film": 1,
        "rows that repeat a film with other labels, such as a.png; the first counts": 1,
    }  # fmt: skip
