"""Files and folders in a recipe: the home folder is meant by ``~``, and this machine's places are not published."""

from __future__ import annotations

import re
from pathlib import Path, PureWindowsPath
from typing import Any

from models.typed import quoted
from storage.plain import is_mapping, is_sequence

_VARIABLE = re.compile(r"\$(\w+|\{)")
_ADDRESS = re.compile(r"(?P<scheme>sqlite[\w+.-]*:///|file:(?://[^/]*)?)(?P<path>/.*)", re.I)
_ARCHIVE = re.compile(
    r"(?P<scheme>(?:nih|chexpert|mimic|openi|padchest|vindr|rsna|siim|covidx|covid_rural|ms_cxr|folder|auto):)(?P<path>/.*)"
)
_ABSOLUTE = re.compile(r"/|~|\\\\|[A-Za-z]:[\\/]")
ELSEWHERE = "…/"
"""Stands in a published recipe for a folder of the machine that wrote it."""


def at_home(path: str) -> str:
    """`path` with the home folder for ``~``.

    Raises:
        ValueError: a variable such as ``$HOME``, which is not expanded here, or the home of an unknown user.
    """
    wrong = unexpanded(path)
    if wrong:
        raise ValueError(wrong)
    if not path.startswith("~"):
        return path
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise ValueError(f"{quoted(path)}: there is no such user here; write the whole path") from None


def unexpanded(path: str) -> str | None:
    """Why a path cannot be taken as it is written; None where it can."""
    found = _VARIABLE.search(path)
    if found is None:
        return None
    return f"{quoted(path)} holds {found.group()}, which is not expanded in a recipe: write the path, or begin with ~/"


def published(data: Any) -> Any:
    """A recipe's plain data as others may see it: of an absolute path only the last part stays, after `ELSEWHERE`."""
    if is_mapping(data):
        return {key: published(value) for key, value in data.items()}
    if is_sequence(data):
        return [published(value) for value in data]
    return _without_place(data) if isinstance(data, str) else data


def hides_places(data: Any) -> bool:
    """Whether `published` left a place out of `data`, so that its fingerprint cannot be worked out from it."""
    if is_mapping(data):
        return any(map(hides_places, data.values()))
    if is_sequence(data):
        return any(map(hides_places, data))
    return isinstance(data, str) and ELSEWHERE in data


def _without_place(value: str) -> str:
    address = _ADDRESS.fullmatch(value) or _ARCHIVE.fullmatch(value)
    if address:
        return address["scheme"] + _without_place(address["path"])
    return ELSEWHERE + PureWindowsPath(value).name if _ABSOLUTE.match(value) else value
