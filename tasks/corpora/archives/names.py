"""File names and ids from outside: which ones cannot stand in a table or on a terminal, and how those are shown."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def is_odd(name: str) -> bool:
    """Whether a file's name holds control characters or bytes that are no UTF-8."""
    return not name.isprintable() and _CONTROL.search(name) is not None


def escaped(text: object) -> str:
    """Text for a terminal or a page: control characters and bytes that are no UTF-8 as ``\\x1b`` or ``\\u2028``."""
    return _SHOWN.sub(_code, str(text))


def _code(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python stands for a byte that is no UTF-8
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
