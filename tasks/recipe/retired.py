"""Keys that a recipe had once: a profile that still uses one is told the new spelling, a stored recipe is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ARCHIVES: Mapping[str, tuple[str, str]] = {"archive_a": ("real", "phantom:a"), "archive_b": ("test", "phantom:b")}
"""Key of a phantom archive, with the name and the source it has under ``sources`` now."""
REASON = "an archive is a dataset of its own, with its own seed"


def remedy(path: str) -> str | None:
    """What to write in place of the key at `path`; None where it never was one."""
    key, _, field = path.partition(".")
    if key not in ARCHIVES:
        return None
    name, source = ARCHIVES[key]
    if field:
        return f"is sources.{name}.{field} now"
    return f'is sources.{name} now: write sources: {{{name}: {{source: "{source}", films: …, size: …, seed: …}}}}'


def upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
    """A stored recipe in the spelling of today; what is new already stays."""
    kept = {key: value for key, value in data.items() if key not in ARCHIVES}
    old = {
        name: {"source": source, **data[key]}
        for key, (name, source) in ARCHIVES.items()
        if isinstance(data.get(key), Mapping)
    }
    return {**kept, "sources": {**old, **kept.get("sources", {})}} if old else kept
