"""A stored JSON document is taken only as far as it is one."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from storage.documents import MOST_DEPTH, BadDocument, first_problem, parse_json, read_bounded
from storage.errors import ObjectMissing
from storage.local import LocalStore
from storage.records import ObjectEntry


def test_a_document_is_read_as_json_is() -> None:
    value = {"a": [1, 2.5, None, True], "b": {"c": "é"}, "d": 2**63}
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe{\0}\0", "byte 0 is not UTF-8"),
        (b'{"a": 1, "b": {"c": 2, "c": 3}}', "key 'c' is given twice"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1e999}', "beyond the range"),
        (b'{"a": ' + b"9" * 5000 + b"}", "5000 digits"),
        (b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1), "nested deeper than"),
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than"),
        (b"[" + b"[]," * 4_000_000 + b"[]]", "more than 6000000 values"),
    ],
)
def test_what_is_no_proper_document_is_said(text: bytes, told: str) -> None:
    with pytest.raises(BadDocument, match=told):
        parse_json(text)


def test_no_more_is_read_than_is_taken(local_store: LocalStore) -> None:
    local_store.put("runs/r/scores.json", b"12345")
    assert read_bounded(local_store, "runs/r/scores.json", 5) == b"12345"
    with pytest.raises(BadDocument, match="larger than 4 bytes"):
        read_bounded(local_store, "runs/r/scores.json", 4)
    with pytest.raises(ObjectMissing):
        read_bounded(local_store, "runs/r/other.json", 4)


def test_a_validation_is_said_in_one_line() -> None:
    with pytest.raises(ValidationError) as refused:
        ObjectEntry.model_validate({"key": 1, "size": "x\ny", "sha256": "a", "rows": 1})
    assert first_problem(refused.value) == "key: Input should be a valid string (and 1 more problems)"
