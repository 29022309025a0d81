"""Names and values as MLflow takes them: any text goes in, and nothing that MLflow refuses comes out."""

from __future__ import annotations

import hashlib
import re

from storage.addresses import redact

RECIPE, INCOMPLETE = "synthcxr.recipe", "synthcxr.incomplete"
"""Tags of a parent run: the SHA-256 of its whole recipe, and that MLflow did not take all of its records."""
MARK = "synthcxr.mark"
"""Tag of a run that is taken up again by whoever goes on with its work: what it is about."""
_NAME_LIMIT = 250
_ODD = re.compile(r"[^/\w.\- :]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def key(name: str) -> str:
    """A name of a parameter, metric or tag: odd characters as ``_x25_``, no empty path parts, at most 250 letters."""
    plain = _ODD.sub(lambda found: f"_x{ord(found[0]):x}_", name)
    parts = [part if part.strip(".") else f"_{part}" for part in plain.split("/")]
    return _shortened("/".join(parts), _NAME_LIMIT)


def value(item: object, limit: int) -> str:
    """A value as text without passwords and control characters, at most `limit` letters."""
    plain = redact(str(item)).encode("utf-8", "backslashreplace").decode()
    shown = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", plain)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def title(name: str, limit: int = 500) -> str:
    """The name of an experiment or a run in one line; a long one is cut, and ends with letters of its own."""
    return _shortened(value(" ".join(name.split()), 1 << 20), limit)


def _shortened(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: limit - 9]}-{mark}"
