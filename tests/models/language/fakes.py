"""Engines at the protocol's edge: functions from what is asked to what a model might write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count

from models.language.writing import Answer, Ask, Then
from models.language.writing import Engine as AnyEngine


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
    """An engine that writes with a function, 5 tokens each, and remembers its rounds: what it had to do at once."""

    def __init__(self, write: Callable[[Ask], str | Answer]) -> None:
        self.write, self.calls = write, []

    def __call__(self, asks: Sequence[Ask], then: Then) -> None:
        numbers = count()
        while asks:
            self.calls.append(list(asks))
            said = [self.write(ask) for ask in asks]
            ended = [one if isinstance(one, Answer) else Answer(one, 5) for one in said]
            asks = [more for answer in ended for more in then(next(numbers), answer)]


def answers(run: AnyEngine, asks: Sequence[Ask]) -> list[Answer]:
    """What an engine writes for `asks`, in order."""
    written: dict[int, Answer] = {}

    def then(number: int, answer: Answer) -> list[Ask]:
        assert number not in written
        written[number] = answer
        return []

    run(asks, then)
    return [written[number] for number in range(len(asks))]
