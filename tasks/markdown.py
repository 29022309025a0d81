"""Values in Markdown that is written for people."""

from __future__ import annotations

from typing import Any


def markdown_cell(value: Any) -> str:
    """A value as plain text in a cell of a table: what would be markup or HTML is written out."""
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    for sign in "\\|<>*_`[]":
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())
