"""Read YAML as a profile needs it: a key given twice is an error, 1e-3 is a number, a date is text."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from tasks.recipe.errors import RecipeError

_FLOAT = re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, stricter about keys and saner about numbers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = str(self.construct_object(key_node, deep=True))
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0] != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def parse_yaml(text: str, where: str) -> Any:
    """The value that `text` holds.

    Raises:
        RecipeError: not YAML; the line and what the parser met there are named.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise RecipeError(where, [f"{place}{problem}"]) from error


def read_mapping(path: Path, where: str) -> dict[str, Any]:
    """The mapping in the YAML file at `path`.

    Raises:
        RecipeError: unreadable, not UTF-8, not YAML, empty, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise RecipeError(
            where, [f"is not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}"]
        ) from error
    except OSError as error:
        raise RecipeError(where, [f"cannot be read: {error.strerror or error}"]) from error
    data = parse_yaml(text, where)
    if data is None:
        raise RecipeError(where, ["is empty; start from a copy of a profile that works"])
    if not isinstance(data, dict):
        raise RecipeError(where, [f"holds a {type(data).__name__}; a profile is a mapping of 'key: value' lines"])
    return data


def non_json(value: Any, path: str = "") -> list[str]:
    """Problems that keep `value` out of JSON: keys that are not text, NaN and infinity, binary, sets."""
    if isinstance(value, dict):
        found = [f"{path}: key {key!r} is not text; put it in quotes" for key in value if not isinstance(key, str)]
        return found + [line for key, item in value.items() for line in non_json(item, dotted(path, str(key)))]
    if isinstance(value, list):
        return [line for number, item in enumerate(value) for line in non_json(item, dotted(path, str(number)))]
    if isinstance(value, float) and not math.isfinite(value):
        return [f"{path}: {value} is not allowed: a finite number is needed"]
    if value is None or isinstance(value, str | int | float):
        return []
    return [f"{path}: a {type(value).__name__} is not allowed: text, a number, true, false, a list or a mapping is"]


def dotted(path: str, key: str) -> str:
    """`path` and `key` as one dotted path."""
    return f"{path}.{key}" if path else key
