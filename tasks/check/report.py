"""What the check found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Problems that keep a recipe from being run, and notes on what will happen that one may not expect."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
