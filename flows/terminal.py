"""What goes to a terminal: text from banks, models, archives and stores never steers it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters of both sets; tab and line feed stay
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # direction, invisible and line marks
    "\ud800-\udfff\U000e0000-\U000e007f]"  # bytes of odd file names, and invisible tags
)


def plain(text: str) -> str:
    r"""`text` with every character that steers a terminal written out, such as ``\x1b`` or ``\u202e``."""
    return _STEERING.sub(_written_out, text)


def one_line(text: str, most: int = 2000) -> str:
    """`text` as one line of at most `most` characters: lines are joined, control characters are written out."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    joined = ""
    for line in filter(None, lines):
        joined += f"{' ' if joined.endswith(':') else '; ' if joined else ''}{line}"
    joined = plain(joined)
    return joined if len(joined) <= most else f"{joined[:most]}… ({len(joined) - most} characters more)"


def say(text: str, *, err: bool = False) -> None:
    """Print `text`, made safe."""
    typer.echo(plain(text), err=err)


def say_json(text: str) -> None:
    """Print JSON; what would steer the terminal becomes an escape of JSON, so that programs read the same value."""
    typer.echo(_STEERING.sub(lambda found: json.dumps(found[0])[1:-1], text))


def console(*, stderr: bool = False) -> Console:
    """A console whose output is made safe; text is never read as markup."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.text import Text

    class Safe(Console):
        def render_str(self, text: str, **details: Any) -> Text:
            return super().render_str(plain(text), **details)

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(plain(segment.text), segment.style)

    return Safe(file=sys.stderr if stderr else None, markup=False, highlight=False)


def survive_encodings() -> None:
    """Let a terminal of a small character set show what it cannot encode as escapes, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as the file system gives it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
