"""Engines at the protocol's edge: functions from what is asked to what a model might write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from models.language.writing import Answer, Ask


def lines_of(ask: Ask) -> list[str]:
    """What the last message lists, one entity a line."""
    return ask.messages[-1]["content"].split("\n")


def obedient(ask: Ask) -> str:
    """Does what it is told, in every decoding."""
    if ask.prefix:
        return " is seen."
    if ask.schema:
        said = " ".join(f"{line}." for line in lines_of(ask))
        return json.dumps({"findings": said, "impression": said})
    if len(ask.messages) > 2:
        return " ".join(f"{line[0].upper()}{line[1:]}." for line in lines_of(ask)[1:])
    return " ".join(_sentence(line) for line in lines_of(ask))


def _sentence(line: str) -> str:
    if line.startswith("no "):
        return f"There is {line}."
    return f"There is {line.removeprefix('place: ')}."


class Engine:
    """An engine that writes with a function, 5 tokens each, and remembers its calls."""

    def __init__(self, write: Callable[[Ask], str | Answer]) -> None:
        self.write, self.calls = write, []

    def __call__(self, asks: Sequence[Ask]) -> list[Answer]:
        self.calls.append(list(asks))
        said = [self.write(ask) for ask in asks]
        return [one if isinstance(one, Answer) else Answer(one, 5) for one in said]
