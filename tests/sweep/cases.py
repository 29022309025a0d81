"""One bad thing and the commands that read it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.sweep.mutations import Place
from tests.sweep.world import Command, commands


@dataclass(frozen=True)
class Case:
    """One bad thing.

    Args:
        kind, name: for the table and for people.
        path: of the file, in the store (``store/…``) or beside it.
        place: puts it there.
        lines: the commands that read it.
        names: one of these is in the line that says what is wrong.
        broken: whether a command that reads it must not end well; where it lists, the list must name it.
    """

    kind: str
    name: str
    path: str
    place: Place
    lines: tuple[Command, ...]
    names: tuple[str, ...]
    broken: bool = False


def reading(*names: str) -> tuple[Command, ...]:
    return tuple(line for line in commands() if line.words[0] in names or " ".join(line.words[:2]) in names)


STORE = ("status", "versions", "diff", "tag", "explain", "verify", "gc")
STAGES = ("curate", "generate", "pretrain", "evaluate", "privacy", "audit fidelity")
