"""Which files of a folder are reports, and what is said of the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.corpora.report_files import kind_of, read_as, shown
from tasks.corpora.reports import Corpus
from tasks.errors import AuditError


def texts(root: Path) -> tuple[list[tuple[str, str]], Corpus]:
    corpus = Corpus(root)
    return [(report.name, report.text) for report in corpus.reports()], corpus


@pytest.mark.parametrize(("name", "data", "kind", "other"), [
    ("s1", b"Clear.", "text", ""), ("1.2.840", "Café".encode("cp1252"), "text", ""), ("a.TXT", b"", "text", ""),
    ("a.rpt", b"Clear.", "text", ""), ("a.txt.gz", b"", "text", ""), ("1", b"<?xml?><eCitation/>", "xml", ""),
    ("2", "<eCitation/>".encode("utf-16"), "xml", ""), ("t", b"PAR1", "parquet", ""), ("a.csv.gz", b"", "csv", ""),
    ("a.png", b"\x89PNG", "", "PNG images"), ("IM0001", b"\0" * 128 + b"DICM", "", "DICOM files"),
    ("a.pdf", b"%PDF-1.4", "", "PDF documents"), ("a", b"{\\rtf1", "", "RTF documents"),
    ("a.docx", b"PK\x03\x04", "", "ZIP or Office files"), ("a.doc", b"\xd0\xcf\x11\xe0", "", "old Office files"),
    ("a", b"\0\1", "", "files that are no text"), ("a", b" \n", "", "empty files"), ("a.py", b"x", "", ".py files"),
    ("a", b"BM\x36\0", "", "BMP images"), ("b", b"BMI of 30.", "text", ""),
    (".DS_Store", b"x", "", "hidden files"), ("._a.txt", b"x", "", "hidden files"),
    ("LICENSE.txt", b"x", "", "licences, read-mes and lists of checksums"),
    ("SHA256SUMS", b"x", "", "licences, read-mes and lists of checksums"),
    ("a\x1b[31m.txt", b"x", "", "files with an odd name"),
])  # fmt: skip
def test_a_file_is_told_by_its_ending_else_by_its_beginning(
    tmp_path: Path, name: str, data: bytes, kind: str, other: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert kind_of(path) == (kind, other)


def test_a_file_that_is_asked_for_by_name_may_be_called_anything(tmp_path: Path) -> None:
    path = tmp_path / "README.txt"
    path.write_text("Clear lungs.")
    assert read_as(path) == ("text", "")
    assert texts(path)[0] == [("README", "Clear lungs.")]


def test_what_is_left_out_is_counted_and_named_by_kind(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"\x89PNG")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "LICENSE").write_text("x")
    (tmp_path / "sub" / "report").write_text("Clear.")
    (tmp_path / "metadata.csv").write_text("dicom_id,ViewPosition\na,PA\n")
    (tmp_path / "sub" / "bad.txt").write_bytes(b"\0\1")
    found, corpus = texts(tmp_path)
    assert found == [("report", "Clear.")]
    assert corpus.left_out_lines() == [
        "left out: 4 PNG images (0.png, 1.png, 2.png, ...)",
        "left out: 1 licences, read-mes and lists of checksums (sub/LICENSE)",
        "left out: 1 tables without a column of text (metadata.csv)",
    ]
    (problem,) = corpus.problems
    assert problem.startswith(f"{tmp_path / 'sub' / 'bad.txt'}: holds zero bytes")


def test_a_name_that_is_no_utf_8_is_passed_over_and_written_out(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Clear.")
    odd = os.fsdecode(b"b\xe9.txt")
    try:
        (tmp_path / odd).write_text("Edema.")
    except OSError:
        pytest.skip("this file system takes no such names")
    found, corpus = texts(tmp_path)
    assert found == [("a", "Clear.")]
    assert corpus.left_out_lines() == [r"left out: 1 files with an odd name (b\xe9.txt)"]
    assert shown(odd) == r"b\xe9.txt"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_reports_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("Café edema.".encode(encoding))
    (tmp_path / "b.csv").write_bytes("id;report\n7;Café clear.\n".encode(encoding))
    assert texts(tmp_path)[0] == [("a", "Café edema."), ("7", "Café clear.")]


def test_a_folder_of_films_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(AuditError, match=r"holds no \.txt.*file; left out: 1 PNG images \(a\.png\)"):
        texts(tmp_path)
    with pytest.raises(AuditError, match=r"a\.png is one of the PNG images; reports are read from \.txt"):
        texts(tmp_path / "a.png")


def test_a_folder_that_is_linked_into_itself_is_walked_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Clear.")
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    assert texts(tmp_path)[0] == [("a", "Clear.")]
