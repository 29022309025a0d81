"""Tables are told by their first bytes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tasks.archives.errors import ArchiveError
from tasks.archives.tables import HEAD, header_of


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_columns_are_known_from_the_beginning_of_a_table(tmp_path: Path, encoding: str, packed: bool) -> None:
    table = "Bild , Größe\n".encode(encoding) + "ß".encode(encoding) * HEAD
    path = tmp_path / ("a.csv.gz" if packed else "a.csv")
    path.write_bytes(gzip.compress(table) if packed else table)
    assert header_of(path) == ["Bild", "Größe"]


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(b"\x1f\x8b nothing")
    with pytest.raises(ArchiveError, match=r"a\.csv\.gz cannot be read"):
        header_of(path)
    (tmp_path / "b.csv").touch()
    assert header_of(tmp_path / "b.csv") == []
