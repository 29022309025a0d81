"""Tables that are published as JSON: an object on each line, or one list of objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.tables import Row
from tasks.text_files import TextError, open_text

MOST = 1 << 28  # characters of one line, or of a list


def read_json_rows(path: Path, *need: str) -> Iterator[Row]:
    """Rows of a table of JSON objects, every value as text; null is blank.

    Args:
        path: the file, plain or ``.gz``; JSON lines are read one by one.
        need: keys that every object has.

    Raises:
        ArchiveError: damaged, no JSON objects, or one of them lacks a key; the message names the line.
    """
    line = 0
    try:
        with open_text(path) as file:
            while text := file.readline(MOST):
                line += 1
                if text.lstrip().startswith("["):
                    text += file.read(MOST)
                for found in _objects(text):
                    absent = next((name for name in need if name not in found), None)
                    if absent is not None:
                        raise ArchiveError(f"{path}, line {line}: an object there has no {absent}")
                    yield Row(((name, _text(value)) for name, value in found.items()), path, line)
    except TextError as error:
        raise ArchiveError(str(error)) from error
    except (json.JSONDecodeError, RecursionError, TypeError) as error:
        raise ArchiveError(
            f"{path}, line {line}: no table of JSON objects ({error}); it has one on each line"
        ) from error


def _objects(text: str) -> list[dict[str, object]]:
    if not text.strip():
        return []
    found = json.loads(text)
    objects = found if isinstance(found, list) else [found]
    if not all(isinstance(each, dict) for each in objects):
        raise TypeError("a value that is no object")
    return objects


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
