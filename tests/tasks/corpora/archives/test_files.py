"""Films are found by ending or content, through links without going in circles; what is left out is named by kind."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.uid import UID

from tasks.corpora.archives.files import ImageFiles, left_out, located, walk_images
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.layouts import folder
from tasks.corpora.archives.names import escaped
from tests.tasks.corpora.archives.conftest import Tree
from tests.tasks.corpora.archives.made import RAMP, data_set, dicom


def no_film(path: Path, sop_class: str) -> None:
    data = data_set(RAMP)
    del data.PixelData
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = UID(sop_class)
    data.save_as(path, enforce_file_format=True)


class TestContent:
    def test_films_of_a_hospital_have_any_name(self, tree: Tree) -> None:
        names = ["IM000000", "a.IMA", "1.2.840.113619.2.5", "b.dcm", "c.0001"]
        for name in names:
            dicom(tree.root / name, RAMP)
        bare = dicom(tree.root / "bare", RAMP)
        bare.write_bytes(bare.read_bytes()[132:])
        for name, kind in {
            "scan.tif": "TIFF",
            "scan.bmp": "BMP",
            "x": "PNG",
            "y.jpg_": "JPEG",
            "z.J2C": "JPEG2000",
        }.items():
            Image.fromarray(RAMP).save(tree.root / name, kind)
            names.append(name)
        assert {path.name for path in walk_images(tree.root)} == {*names, "bare"}

    def test_an_ending_that_tells_is_not_looked_into(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("a.png", "b.JPG", "c.dcm", "d.txt", "e.csv.gz", "f.pdf"):
            tree.text(name, "")
        monkeypatch.setattr("builtins.open", None)
        assert [path.name for path in walk_images(tree.root)] == ["a.png", "b.JPG", "c.dcm"]

    @pytest.mark.parametrize(("data", "kind"), [
        (b"GIF89a", "GIF"), (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"), (b"%PDF-1.7", "pdf"), (b"PK\3\4", "zip"),
        (b"\0\0\0\x18ftypheic", "HEIF"), (b"\0\0\0\x18ftypisom", "video"), (b"", "empty"), (b"BMI of patients", "xyz"),
        (b"hello", "xyz"), (b"\x08\0\x05\0", "xyz"), (b"\x08\0\x05\0" + bytes(2000), "xyz"),
    ])  # fmt: skip
    def test_what_is_none_is_named_by_content_else_by_ending(self, tree: Tree, data: bytes, kind: str) -> None:
        (tree.root / "a.xyz").write_bytes(data)
        assert list(walk_images(tree.root)) == []
        assert str(left_out(tree.root, (), texts=True)) == f"1 {kind} (a.xyz)"

    @pytest.mark.parametrize(("sop_class", "kind"), [
        ("1.2.840.10008.1.3.10", "DICOMDIR"), ("1.2.840.10008.5.1.4.1.1.88.33", "DICOM structured report"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "DICOM presentation state"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "DICOM document"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "DICOM key object selection"),
    ])  # fmt: skip
    def test_dicom_files_without_an_image_are_named(self, tree: Tree, sop_class: str, kind: str) -> None:
        no_film(tree.root / "OTHER", sop_class)
        assert str(left_out(tree.root, (), texts=True)) == f"1 {kind} (OTHER)"


class TestLeftOut:
    def test_it_is_counted_by_kind_with_three_examples(self, tree: Tree) -> None:
        for at in range(5):
            tree.text(f"sub/{at}.zip", "")
        for name in ("x.pdf", ".hidden", ".git/config", "README", "a.txt", "a.csv"):
            tree.text(name, "words")
        tree.image("a.png")
        tree.image("b.png")
        found = left_out(tree.root, {str(tree.root / "a.png"), str(tree.root / "a.txt")}, texts=True)
        assert str(found) == (
            "5 zip (sub/0.zip, sub/1.zip, sub/2.zip, ...), 2 hidden (.git, .hidden), 1 of no known kind (README), "
            "1 csv (a.csv), 1 images that no table names (b.png), 1 pdf (x.pdf)"
        )

    def test_texts_of_an_archive_with_tables_are_its_own(self, tree: Tree) -> None:
        for name in ("a.txt", "a.csv.gz", "a.xml", "LICENSE.txt"):
            tree.text(name, "")
        assert not left_out(tree.root, (), texts=False).counts

    @pytest.mark.parametrize(
        "name", [b"\xff\xfe.png", b"new\nline.png", b"esc\x1b[2J.dcm", b"tab\t.png", b"\xe2\x80\xa8.png"]
    )
    def test_an_odd_name_is_escaped_and_passed_over(self, tree: Tree, name: bytes) -> None:
        tree.image("a.png")
        Path(os.fsdecode(os.path.join(os.fsencode(tree.root), name))).write_bytes((tree.root / "a.png").read_bytes())
        films, _ = tree.read("folder")
        assert [film.film for film in films] == ["a.png"]
        told = str(left_out(tree.root, {str(tree.root / "a.png")}, texts=True))
        assert told == f"1 with an odd name ({escaped(os.fsdecode(name))})"
        assert told.isprintable()
        assert told.encode()

    def test_a_folder_with_an_odd_name_takes_its_films_along(self, tree: Tree) -> None:
        odd = os.path.join(os.fsencode(tree.root), b"d\xe9")
        os.mkdir(odd)
        Image.fromarray(RAMP).save(os.fsdecode(os.path.join(odd, b"a.png")))
        assert list(walk_images(tree.root)) == []
        assert str(left_out(tree.root, (), texts=True)) == r"1 with an odd name (d\xe9)"

    @pytest.mark.parametrize(
        "name", ["Röntgen Thorax.png", "胸部\u3000正面.png", "a\u00a0b.png", "e\u0301.png", "$x$ [b].png"]
    )
    def test_other_scripts_are_nothing_odd(self, tree: Tree, name: str) -> None:
        tree.image(name)
        assert [film.film for film in tree.read("folder")[0]] == [name]

    def test_a_pipe_is_not_opened(self, tree: Tree) -> None:
        os.mkfifo(tree.root / "pipe")
        assert str(left_out(tree.root, (), texts=True)) == "1 that are no regular files (pipe)"

    def test_an_audit_inside_the_archive_is_none_of_it(self, tree: Tree) -> None:
        tree.image("a.png")
        tree.image("audit/report.png")
        tree.text("audit/index.parquet", "")
        tree.text("audit/report.md", "")
        assert [path.name for path in walk_images(tree.root)] == ["a.png"]

    def test_paths_below_the_present_folder(self, tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
        tree.image("sub/a.png")
        tree.text("b.zip", "")
        monkeypatch.chdir(tree.root)
        films = list(folder.read(Path(), notes := Counter[str]()))
        assert [(film.film, film.path) for film in films] == [("sub/a.png", Path("sub/a.png"))]
        assert notes["images without a report"] == 1
        assert str(left_out(Path(), {str(film.path) for film in films}, texts=True)) == "1 zip (b.zip)"


class TestByName:
    def test_a_film_is_found_with_another_ending_than_its_table_says(self, tree: Tree) -> None:
        tree.image("images/a.PNG")
        dicom(tree.root / "images/b", RAMP)
        files = ImageFiles(tree.root)
        assert files.find("a.jpg") == tree.root / "images/a.PNG"
        assert files.find("b.dcm") == tree.root / "images/b"
        assert files.find("c.png") == tree.root / "c.png"

    def test_the_last_number_of_a_uid_is_no_ending(self, tree: Tree) -> None:
        for name in ("1.2.3", "1.2.4"):
            dicom(tree.root / name, RAMP)
        files = ImageFiles(tree.root)
        assert files.find("1.2.4.dcm") == files.find("1.2.4") == tree.root / "1.2.4"
        assert not files.find("1.2.5").exists()

    def test_a_path_out_of_a_table_may_differ_in_its_ending(self, tree: Tree) -> None:
        tree.image("s1/view1.png")
        tree.text("s1/view2.txt", "")
        paths = [tree.root / "s1" / name for name in ("view1.jpg", "view2.jpg", "x" * 300, "no\0name")]
        found = located([ArchiveFilm(str(at), path) for at, path in enumerate(paths)])
        assert [film.path for film in found] == [tree.root / "s1/view1.png", *paths[1:]]

    def test_a_report_lies_beside_its_film_and_beside_no_other(self, tree: Tree) -> None:
        for name in ("1.2.3", "1.2.4"):
            dicom(tree.root / name, RAMP)
        tree.text("1.2.txt", "Of none.")
        tree.text("1.2.4.txt", "Clear lungs.")
        assert [film.report for film in tree.read("folder")[0]] == [None, "Clear lungs."]

    @pytest.mark.parametrize(("data", "report"), [
        ("\ufeffClear lungs.".encode(), "Clear lungs."), ("Größer.".encode("latin-1"), "Größer."),
        ("Clear lungs.".encode("utf-16"), "Clear lungs."), (b"a\0b", None),
    ])  # fmt: skip
    def test_reports_as_people_save_them(self, tree: Tree, data: bytes, report: str | None) -> None:
        tree.image("a.png")
        (tree.root / "a.txt").write_bytes(data)
        films, notes = tree.read("folder")
        assert films[0].report == report
        assert notes["reports that cannot be read"] == (report is None)


def test_linked_folders_are_walked_once(tmp_path: Path) -> None:
    films, root = tmp_path / "elsewhere", tmp_path / "root"
    films.mkdir()
    root.mkdir()
    (films / "a.png").touch()
    (films / "round").symlink_to(films, target_is_directory=True)
    (root / "images").symlink_to(films, target_is_directory=True)
    (root / "again").symlink_to(root, target_is_directory=True)
    assert list(walk_images(root)) == [root / "images" / "a.png"]


def test_ids_are_shown_without_what_a_terminal_obeys() -> None:
    assert escaped("a\x1b[31m\udcff\n\u202eb ü\u3000") == "a\\x1b[31m\\xff\\x0a\\u202eb ü\u3000"
    assert np.all([not escaped(chr(code)).encode().startswith(b"\x1b") for code in range(0x300)])
