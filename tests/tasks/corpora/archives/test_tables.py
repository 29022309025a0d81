"""Tables as people save them again: in any encoding, with any delimiter, with columns added, doubled or moved."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.tables import HEAD, find_tables, header_of, lacking, read_list, read_rows

TABLE = "Bild , Größe\né.png,1\n"


def written(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(path: Path, *need: str, also: tuple[str, ...] = ()) -> list[dict[str, str]]:
    return [dict(row) for row in read_rows(path, *need, also=also)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252", "latin-1"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_is_read_in_the_encoding_it_has(tmp_path: Path, encoding: str, packed: bool) -> None:
    data = TABLE.replace("\n", "\r\n").encode(encoding)
    path = written(tmp_path, gzip.compress(data) if packed else data, "a.csv.gz" if packed else "a.csv")
    notes: Counter[str] = Counter()
    assert header_of(path) == ["Bild", "Größe"]
    assert [dict(row) for row in read_rows(path, "Bild", notes=notes)] == [{"Bild": "é.png", "Größe": "1"}]
    guessed = {f"rows of {path.name}, which is no UTF-8, read as cp1252": 1}
    assert +notes == (guessed if encoding in ("cp1252", "latin-1") else {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_the_columns_are_known_from_the_beginning_of_a_table(tmp_path: Path, encoding: str) -> None:
    path = written(tmp_path, TABLE.encode(encoding) + ("ß" * HEAD).encode(encoding.replace("16", "16-le")))
    assert header_of(path) == ["Bild", "Größe"]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=r"a\.csv\.gz cannot be read"):
        header_of(written(tmp_path, b"\x1f\x8b nothing", "a.csv.gz"))
    with pytest.raises(ArchiveError, match=r"b\.csv: holds zero bytes"):
        header_of(written(tmp_path, b"id,x\0\0\n", "b.csv"))
    with pytest.raises(ArchiveError, match=r"b\.csv: holds zero bytes"):
        rows(tmp_path / "b.csv", "id")
    with pytest.raises(ArchiveError, match=r"b\.csv: holds zero bytes"):
        header_of(written(tmp_path, "id,x\n".encode("utf-16-le"), "b.csv"))
    assert header_of(written(tmp_path, "", "c.csv")) == []


@pytest.mark.parametrize("text", [
    "id;mark\n7;1,5\n", "id\tmark\n7\t1.5\n", "id|mark\n7|1.5\n", "sep=;\nid;mark\n7;1.5\n",
    "\n# exported by hand\n id , mark \n7,1.5\n", '"id","mark"\r\n"7","1.5"\r\n', "id,mark\r7,1.5\r",
    "\ufeff\ufeffid,mark\n7,1.5\n", "id,mark,,\n7,1.5,,\n", "mark,id\n1.5,7\n", "ID,Mark\n7,1.5\n",
    ",id,mark\n0,7,1.5\n", "id,mark,id\n7,1.5,7\n", "id,mark,id\n7,1.5,\n", "id,mark\n7,1.5,,\n",
])  # fmt: skip
def test_the_same_table_in_other_programs_words(tmp_path: Path, text: str) -> None:
    assert rows(written(tmp_path, text), "id", "mark") == [{"id": "7", "mark": "1.5"}]


def test_a_row_knows_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, '# note\nid,text\n1,"two\nlines"\n\n2,x\n')
    assert [(row.line, row.where) for row in read_rows(path, "id")] == [(4, f"{path}, line 4"), (6, f"{path}, line 6")]


@pytest.mark.parametrize(("text", "told"), [
    ("id,mark\n0,7,1\n", r"line 2: 3 cells under a header of 2"),
    ("id,mark,ID\n7,1,8\n", r"line 2: the column id stands 2 times, and here once with '7' and once with '8'"),
    ("id,label\n7,1\n", r"a\.csv has no column mark; it has id, label"),
    ("", r"a\.csv has no column id, mark; it has none"),
    ("id,mark\n1,1\n2,\"1\n3,1\n", r"line 3: a quote opens there and nobody closes it"),
    ('id,mark\n1,1\n2,"1\n3,1\n4,"1"\n5,1\n', r"line 3: .*look for a quote that nobody closes"),
    ("id,mark\n1,1\n2,\"1\n" + "3,1\n" * 6000, r"line 3: a quote opens there and nobody closes it"),
])  # fmt: skip
def test_a_table_whose_cells_do_not_stand_under_their_names_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ArchiveError, match=told):
        rows(written(tmp_path, text), "id", "mark")


def test_short_rows_are_counted_and_their_cells_are_empty(tmp_path: Path) -> None:
    notes: Counter[str] = Counter()
    path = written(tmp_path, "id,mark,,\n7\n8,1\n")
    assert [dict(row) for row in read_rows(path, "id", notes=notes)] == [
        {"id": "7", "mark": ""}, {"id": "8", "mark": "1"},
    ]  # fmt: skip
    assert notes == {"rows of a.csv that are shorter than its header": 1}


def test_columns_are_found_in_any_case_and_either_of_two_names_will_do() -> None:
    assert lacking(["image id ", "LABEL"], ["Image  ID|id", "label"]) == []
    assert lacking(["image"], ["Image ID|id", "label"]) == ["Image ID|id", "label"]


def test_tables_are_found_by_name_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deeper").mkdir()
    for name in ("A_1.CSV", "a_1.csv.gz", "sub/a_2.csv.gz", "sub/a_3.tsv", "._a_4.csv", "b.csv", "sub/deeper/a_5.csv"):
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_tables(tmp_path, "a_*.csv")]
    assert found == ["A_1.CSV", "sub/a_2.csv.gz", "sub/a_3.tsv"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_a_list_is_read_line_by_line(tmp_path: Path, encoding: str) -> None:
    notes: Counter[str] = Counter()
    path = written(tmp_path, "é.png \r\n\r\n# the rest\r\n'b.png',\r\n".encode(encoding), "list.txt")
    assert [(row["id"], row.line) for row in read_list(path, notes)] == [("é.png", 1), ("b.png", 4)]
