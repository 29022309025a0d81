"""Pydantic's errors about a profile, each mistake once: unions in one line, and no consequence of another mistake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.plain import is_dict, is_list

Loc = tuple[str | int, ...]
Item = dict[str, Any]
_SCALARS = ("bool", "float", "int", "str")


def own_mistakes(items: Sequence[Mapping[str, Any]], data: object, left_out: Iterable[Loc]) -> list[Item]:
    """Errors that are mistakes by themselves, with the path in the profile as ``loc``.

    Args:
        items: the errors of one validation.
        data: what was validated; a member of a union stands in a path, but not in it.
        left_out: paths of wrong values that were taken out of it before; a mapping or a list that has lost one is not
            judged, and neither is the whole by a message that names one.
    """
    merged: list[Item] = []
    unions: dict[Loc, int] = {}
    for item in items:
        loc = in_data(tuple(item["loc"]), data)
        if loc in unions:
            merged[unions[loc]] = _either(merged[unions[loc]], {**item})
            continue
        if loc != item["loc"]:
            unions[loc] = len(merged)
        merged.append({**item, "loc": loc})
    wrong = [*(item["loc"] for item in merged), *left_out]
    return [item for item in merged if not _follows(item, wrong)]


def in_data(loc: Loc, data: object) -> Loc:
    """The part of an error's path that leads through `data`, without the members of a union."""
    node: object = data
    for at, part in enumerate(loc):
        if is_dict(node) and str(part) in node:
            node = node[str(part)]
        elif is_list(node) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return loc[:at] if _is_member(part) else loc
    return loc


def _is_member(part: str | int) -> bool:
    """Whether a part of a path is a member of a union, such as ``int``, ``constrained-int`` or ``literal['all']``."""
    name = str(part)
    return not isinstance(part, int) and name != "[key]" and (name in _SCALARS or not name.isidentifier())


def _either(one: Item, other: Item) -> Item:
    """One error for two members of a union."""
    ctx = other["ctx"] if "expected" in other.get("ctx", {}) else one.get("ctx", {})
    also = str(other["msg"]).removeprefix("Input should be ")
    return {**one, "msg": f"{one['msg']}, or {also}", "ctx": ctx}


def _follows(item: Item, wrong: Sequence[Loc]) -> bool:
    loc: Loc = item["loc"]
    if loc:
        return any(len(other) > len(loc) and other[: len(loc)] == loc for other in wrong)
    names = {".".join(map(str, other)) for other in wrong if other}
    return any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", str(item["msg"])) for name in names)
