"""Tables of JSON objects, on lines or in one list."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.json_rows import read_json_rows


def rows(folder: Path, text: str, encoding: str = "utf-8") -> list[dict[str, str]]:
    path = folder / "t.json"
    path.write_bytes(text.encode(encoding))
    return [dict(row) for row in read_json_rows(path, "id")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", [
    '{"id": "é", "Edema": 1.0, "Mass": null}\n\n{"id": "b", "Edema": NaN}\n',
    '[{"id": "é", "Edema": 1.0, "Mass": null},\n {"id": "b", "Edema": NaN}]',
])  # fmt: skip
def test_values_become_text_and_null_is_blank(tmp_path: Path, text: str, encoding: str) -> None:
    assert rows(tmp_path, text, encoding) == [{"id": "é", "Edema": "1.0", "Mass": ""}, {"id": "b", "Edema": "nan"}]


@pytest.mark.parametrize(("text", "told"), [
    ('{"id": 1}\n{"id": \n', r"t\.json, line 2: no table of JSON objects \(Expecting value"),
    ('{"id": 1}\n7\n', r"line 2: no table of JSON objects \(a value that is no object"),
    ('{"Edema": 1}', r"line 1: an object there has no id"), ("[" * 100000, "line 1: no table of JSON objects"),
    ("\0", "holds zero bytes"),
])  # fmt: skip
def test_what_is_no_such_table_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ArchiveError, match=told):
        rows(tmp_path, text)
