"""Text files as people save them."""

from __future__ import annotations

import gzip
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.text_files import TextError, decode_text, encoding_of, open_text, read_text

TEXT = "id,finding\nétude 1,œdème\n"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_every_usual_encoding_is_read_without_its_mark(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(TEXT.encode(codec))
    assert read_text(path) == TEXT
    assert decode_text(TEXT.encode(codec), "list") == TEXT


def test_a_compressed_file_is_read_like_a_plain_one(tmp_path: Path) -> None:
    path = tmp_path / "list.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode("utf-16")))
    assert read_text(path) == TEXT


def test_line_ends_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"a\r\nb\n")
    with open_text(path) as file:
        assert file.read() == "a\r\nb\n"


def test_latin_1_is_what_remains_where_windows_knows_no_letter(tmp_path: Path) -> None:
    path = tmp_path / "old.txt"
    path.write_bytes(b"\xe9\x81")
    assert encoding_of(path) == "latin-1"


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"\x89PNG\0\0", "no text"), ("a".encode("utf-16-le"), "UTF-16 without its mark"), (b"\xff\xfea", "list")],
)
def test_what_is_no_text_is_refused_by_name(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with pytest.raises(TextError, match=said):
        read_text(path)


def test_a_missing_a_cut_and_a_swelling_file_are_refused(tmp_path: Path) -> None:
    cut, bomb = tmp_path / "cut.gz", tmp_path / "bomb.gz"
    cut.write_bytes(gzip.compress(TEXT.encode() * 99)[:-9])
    bomb.write_bytes(gzip.compress(b"a" * 100_000))
    for path in (tmp_path / "none.txt", tmp_path, cut):
        with pytest.raises(TextError, match=path.name):
            read_text(path)
    with pytest.raises(TextError, match="more than 1000 characters"):
        read_text(bomb, most=1000)


@given(st.binary(max_size=64))
def test_any_bytes_are_text_or_a_text_error(data: bytes) -> None:
    with suppress(TextError):
        assert isinstance(decode_text(data, "here"), str)
