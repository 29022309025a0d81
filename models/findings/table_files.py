"""Read the tables of this package, and tables of one's own: YAML in which every value is text, a list or a mapping.

YAML's own readings are left aside (``no`` is the word no, ``1:30`` no number of seconds), and so are tags, aliases
and everything of a size or depth that no such table has.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
LARGEST = 4 << 20
"""Bytes of a table; the longest that ships has 20 kB."""
DEEPEST = 8
MOST_VALUES = 200_000


class TableError(ValueError):
    """A table cannot be read, or holds what its schema refuses.

    Attributes:
        where: the file.
        problems: one line each, all that were found at once.
    """

    def __init__(self, where: str, problems: list[str]) -> None:
        self.where, self.problems = where, tuple(problems)
        super().__init__(f"{where}: {'; '.join(problems)}")

    def __reduce__(self) -> tuple[type[TableError], tuple[str, list[str]]]:
        return type(self), (self.where, list(self.problems))


@cache
def shipped(name: str) -> dict[str, Any]:
    """The table ``tables/NAME.yaml`` of this package."""
    return parse_table((files("models.findings") / "tables" / f"{name}.yaml").read_bytes(), f"{name}.yaml")


def shipped_tables() -> tuple[str, ...]:
    """The names of the tables of this package, sorted."""
    folder = files("models.findings") / "tables"
    return tuple(sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def read_bytes(path: Path) -> bytes:
    """The bytes of a table of one's own.

    Raises:
        TableError: there is no such file, or it is too long.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = "it is a folder" if path.is_dir() else getattr(error, "strerror", None) or str(error)
        raise TableError(str(path), [str(why)]) from error
    if len(data) > LARGEST:
        raise TableError(str(path), [f"more than {LARGEST} bytes, which is too long for such a table"])
    return data


def parse_table(data: bytes, where: str) -> dict[str, Any]:
    """The mapping that YAML `data` holds.

    Raises:
        TableError: no UTF-8, no YAML, no mapping, a tag, an alias, a key given twice, or too many or too deep values.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(where, [f"byte {error.start} is no UTF-8: save it as UTF-8"]) from error
    try:
        _refuse_odd(text, where)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        problem = getattr(error, "problem", None) or "no YAML"
        raise TableError(where, [str(problem) if line is None else f"line {line + 1}: {problem}"]) from error
    value = None if node is None else _value(node, where)
    if not isinstance(value, dict):
        raise TableError(where, ["a mapping with the keys name and labels is needed"])
    return value


def _refuse_odd(text: str, where: str) -> None:
    """Refuse what needs no look at the values, before anything is built of it."""
    depth = values = 0
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise TableError(where, [f"line {line}: anchors and aliases are not read: write the value out"])
        if getattr(event, "tag", None) not in (None, "!"):
            raise TableError(where, [f"line {line}: tags are not read: write the value plainly"])
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        values += isinstance(event, yaml.ScalarEvent)
        if depth > DEEPEST or values > MOST_VALUES:
            raise TableError(where, [f"line {line}: more than {DEEPEST} levels or {MOST_VALUES} values"])


def _value(node: yaml.Node, where: str) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, where) for item in node.value]
    found: dict[str, Any] = {}
    for key_node, value_node in getattr(node, "value", ()):
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise TableError(where, [f"line {line}: a key must be a word"])
        if key_node.value in found:
            raise TableError(where, [f"line {line}: the key {key_node.value!r} is given twice"])
        found[key_node.value] = _value(value_node, where)
    return found
