"""Overrides: ``a.b=c`` as it comes from a command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from storage.plain import is_dict, is_list
from tasks.recipe.errors import RecipeError, quoted
from tasks.recipe.reading import DEEPEST, LARGEST, parse_yaml


@dataclass(frozen=True, slots=True)
class Override:
    """One change: the path, the YAML value and the text it was read from."""

    path: tuple[str, ...]
    value: Any
    raw: str


def parse_override(text: str) -> Override:
    """Split ``a.b=c`` at its first equals sign and read `c` as YAML.

    Raises:
        RecipeError: no equals sign, an empty part in the path, or `c` is not YAML.
    """
    key, equals, raw = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    where = f"--set {text}"
    if len(text) > LARGEST:
        raise RecipeError(where, [f"has more than {LARGEST >> 10} KiB"])
    if not equals:
        raise RecipeError(where, ["there is no '='; write key=value, such as pairs=1024"])
    if not all(path) or len(path) > DEEPEST:
        raise RecipeError(where, [f"{quoted(key)} is not a dotted path such as storage.root"])
    return Override(path, parse_yaml(raw, where), raw.strip())


def apply_override(data: dict[str, Any], change: Override) -> list[str]:
    """Set one value in `data`, in place; a new key is left to the schema.

    Returns:
        Problems: a path that leads through a plain value or beyond the end of a list.
    """
    node: Any = data
    for depth, part in enumerate(change.path):
        here, last = ".".join(change.path[:depth]), depth == len(change.path) - 1
        if is_list(node):
            if part not in map(str, range(len(node))):
                return [f"{here}: has no item {quoted(part)}; it is a list of {len(node)}, numbered from 0"]
            key: Any = int(part)
        elif is_dict(node):
            key = part
        else:
            return [f"{here}: is a plain value and has no {quoted(part)} in it"]
        if last:
            node[key] = change.value
        else:
            # An unknown section is made here so that the schema can name it with its full path.
            node = node.setdefault(key, {}) if is_dict(node) else node[key]
    return []
