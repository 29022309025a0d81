"""The lists of an archive have their SHA-256, and one that is not the published one says in what."""

from __future__ import annotations

import hashlib
import re

import pytest

from tasks.corpora.archives import official
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.official import PUBLISHED, Published, list_files
from tasks.corpora.archives.registry import FOLDER, LAYOUTS, open_archive

TEXT = "a.png\nb.png\n\n"


def test_a_list_has_the_hash_of_its_unpacked_bytes(tree) -> None:
    tree.text("labels/test_list.txt.gz", TEXT)
    tree.text("BBox_List_2017.csv", "Image Index,Finding Label\na.png,Mass\n")
    boxes, listed = list_files(tree.root, "none", ("test_list.txt", "bbox*.csv"))
    assert (listed.file, listed.sha256) == ("labels/test_list.txt.gz", hashlib.sha256(TEXT.encode()).hexdigest())
    assert (listed.entries, boxes.entries) == (2, 1), "a blank line is none, nor is a header"
    assert (listed.published, listed.differs) == ("", "")


@pytest.mark.parametrize(("published", "differs"), [
    (Published("page", 2, hashlib.sha256(TEXT.encode()).hexdigest()), ""),
    (Published("page", 2), ""),
    (Published("page", 3), "2 entries, published are 3"),
    (Published("page", None, "0" * 64), "SHA-256 2cf16c439684, published is 000000000000"),
])  # fmt: skip
def test_what_is_published_decides(tree, monkeypatch, published: Published, differs: str) -> None:
    monkeypatch.setattr(official, "PUBLISHED", {"toy": {"test_list.txt": published}})
    tree.text("TEST_list.txt", TEXT)
    (found,) = list_files(tree.root, "toy", ("test_list.txt",))
    assert (found.published, found.differs) == ("page", differs)


def test_a_damaged_list_is_an_error(tree) -> None:
    path = tree.text("test_list.txt.gz", TEXT * 999)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ArchiveError, match=r"test_list\.txt\.gz cannot be read .*get it anew"):
        list_files(tree.root, "nih", ("test_list.txt",))


def test_each_published_file_belongs_to_a_layout_and_names_its_source() -> None:
    for layout, files in PUBLISHED.items():
        assert layout in LAYOUTS
        for name, published in files.items():
            assert name == name.lower().removesuffix(".gz")
            assert published.source.startswith("https://")
            assert published.entries or published.sha256
            assert re.fullmatch(r"|[0-9a-f]{64}", published.sha256)


def test_a_layout_lists_what_it_reads_and_a_plain_folder_nothing(tree) -> None:
    tree.text("Data_Entry_2017.csv", "Image Index,Finding Labels,Patient ID\na.png,Mass,1\n")
    tree.text("test_list_NIH.txt", "a.png\n")
    archive = open_archive(tree.root)
    assert [each.file for each in archive.lists()] == ["Data_Entry_2017.csv", "test_list_NIH.txt"]
    assert archive.lists()[1].differs == "1 entries, published are 25596"
    assert [film.split for film in archive.films()] == ["test"]
    assert open_archive(tree.root, FOLDER).lists() == ()
