"""Read YAML and JSON from outside: bounded in size, depth and number of values, and without YAML's surprises.

A key given twice is an error and 1e-3 is a number. What YAML 1.1 reads in its own way is text here: dates, ``010``
(eight), ``1:30`` (ninety) and ``no`` (false). A field of numbers then refuses it instead of taking another number.
"""

# The stubs of PyYAML leave the types of nodes and events partly open.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import json
import math
import re
import stat
from collections.abc import Hashable
from pathlib import Path
from typing import Any, cast

import yaml

from storage.plain import is_dict, is_list
from tasks.recipe.errors import RecipeError, quoted
from tasks.text_files import TextError, decode_text

LARGEST = 256 << 10
"""Bytes of a profile, an override or a stored recipe; the longest that ships has 6 kB."""
MOST_VALUES = 10_000
DEEPEST = 40
"""Levels of lists and mappings; a recipe has six."""

_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")  # of UTF-16 and UTF-32
_PREFIX = "tag:yaml.org,2002:"
_PLAIN: dict[str, tuple[str, str]] = {  # how a plain value of each kind is written, and the signs that it begins with
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(0|[1-9][0-9_]*|0b[01_]+|0x[0-9a-fA-F_]+)", "-+0123456789"),
    "float": (
        r"[-+]?(([0-9][0-9_]*)?\.[0-9][0-9_]*|[0-9][0-9_]*\.)([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
_ODD = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_KEPT = (f"{_PREFIX}null", f"{_PREFIX}merge")  # resolved as YAML 1.1 does


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader within bounds, without tags, and saner about keys and numbers."""

    def __init__(self, text: str, most_values: int) -> None:
        super().__init__(text)
        self._most_values = most_values
        self._values = self._depth = 0
        self._held: dict[int, int] = {}  # values in each node that is whole, for the aliases to it

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """See PyYAML; also counts what aliases repeat.

        Raises:
            yaml.YAMLError: a tag, too deep, too many values, or an alias to what it stands in.
        """
        event = cast("Any", self.peek_event())
        before, self._depth = self._values, self._depth + 1
        if getattr(event, "tag", None) not in (None, "!", f"{_PREFIX}str"):
            raise _refused(f"the tag {event.tag.replace(_PREFIX, '!!')} is not read: write the value plainly", event)
        if self._depth > DEEPEST:
            raise _refused(f"lists and mappings lie more than {DEEPEST} deep", event)
        node = super().compose_node(parent, index)
        if isinstance(event, yaml.AliasEvent):
            if id(node) not in self._held:
                raise _refused(f"the alias *{event.anchor} stands in what it repeats", event)
            self._values += self._held[id(node)]
        else:
            self._values += 1
            self._held[id(node)] = self._values - before
        if self._values > self._most_values:
            raise _refused(f"holds more than {self._most_values} values, those that aliases repeat included", event)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == f"{_PREFIX}merge":
                continue
            key = str(self.construct_object(key_node, deep=True))
            if key in seen:
                raise _refused(f"key {quoted(key)} is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)


def _refused(problem: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(None, None, problem, place.start_mark)


_Loader.yaml_implicit_resolvers = {
    first: kept
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    if (kept := [rule for rule in rules if rule[0] in _KEPT])
}
for _kind, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_PREFIX + _kind, re.compile(f"^(?:{_pattern})$"), list(_first))


def parse_yaml(text: str, where: str, most_values: int = MOST_VALUES) -> Any:
    """The value that YAML `text` holds.

    Args:
        text: one YAML document without tags.
        where: what the error names: the file, the override.
        most_values: values that are read at most, those that aliases repeat included.

    Raises:
        RecipeError: not YAML, or beyond the bounds; the line and what is wrong there are named.
    """
    try:
        return _Loader(text, most_values).get_single_data()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RecipeError(where, [f"line {line}: the character {error.character:#04x} is no text"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        if problem.startswith("but "):
            problem = f"{getattr(error, 'context', None) or ''}, {problem}"
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecipeError(where, [f"{place}{problem}"]) from None
    except ValueError:  # a whole number of more digits than Python reads
        raise RecipeError(where, ["holds a number of thousands of digits"]) from None


def parse_json(text: str, where: str) -> Any:
    """The value that JSON `text` holds.

    Raises:
        RecipeError: not JSON, a key given twice, a number that is none, or nested too deep; the place is named.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise RecipeError(where, [f"line {error.lineno}, column {error.colno}: {error.msg}"]) from None
    except (ValueError, RecursionError) as error:
        why = "is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise RecipeError(where, [why]) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {quoted(next(key for key in keys if keys.count(key) > 1))} is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number that JSON knows: a finite number is needed")


def read_mapping(path: Path, where: str) -> dict[str, Any]:
    """The mapping in the YAML file at `path`.

    Raises:
        RecipeError: unreadable, no plain file, too large, not UTF-8, not YAML, empty, or not a mapping.
    """
    data = parse_yaml(_text(path, where), where)
    if data is None:
        raise RecipeError(where, ["is empty; start from a copy of a profile that works"])
    if not is_dict(data):
        raise RecipeError(where, [f"holds a {type(data).__name__}; a profile is a mapping of 'key: value' lines"])
    return data


def _text(path: Path, where: str) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # a pipe or a device may never end
            raise RecipeError(where, ["is a folder" if stat.S_ISDIR(mode) else "is no plain file: save it as one"])
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise RecipeError(where, [f"cannot be read: {getattr(error, 'strerror', None) or error}"]) from None
    if len(data) > LARGEST:
        raise RecipeError(where, [f"has more than {LARGEST >> 10} KiB; a profile has a few"])
    try:
        return decode_text(data, where) if data.startswith(_MARKS) else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(where, [f"is not UTF-8 text: byte {error.start} is {data[error.start]:#04x}"]) from None
    except TextError as error:
        raise RecipeError(where, [str(error).removeprefix(f"{where}: ")]) from None


def non_json(value: Any, path: str = "") -> list[str]:
    """Problems that keep `value` out of JSON and off a terminal: keys and values that are no text, number or list."""
    if is_dict(value):
        here = f"{path}: " if path else ""
        found = [f"{here}key {quoted(key)} is not text; put it in quotes" for key in value if type(key) is not str]
        found += [f"{here}key {quoted(key)} holds a control character" for key in value if _odd(key)]
        return found + [line for key, item in value.items() for line in non_json(item, dotted(path, str(key)))]
    if is_list(value):
        return [line for number, item in enumerate(value) for line in non_json(item, dotted(path, str(number)))]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{path}: {value} is not allowed: a finite number is needed"]
    if _odd(value):
        return [f"{path}: {quoted(value)} is not allowed: it holds a control character or half of a character"]
    if value is None or isinstance(value, str | int | float):
        return []
    return [f"{path}: a {type(value).__name__} is not allowed: text, a number, true, false, a list or a mapping is"]


def _odd(value: Any) -> bool:
    """Whether a text holds control characters but tabs and line ends, or half of a surrogate pair."""
    return isinstance(value, str) and _ODD.search(value) is not None


def dotted(path: str, key: str) -> str:
    """`path` and `key` as one dotted path."""
    return f"{path}.{key}" if path else key
