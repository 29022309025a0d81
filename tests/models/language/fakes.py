"""Engines at the protocol's edge: functions from what is asked to what a model might write."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import count

from models.language.script import Completion, CompletionRequest, OnCompletion
from models.language.script import Engine as AnyEngine


def lines_of(request: CompletionRequest) -> list[str]:
    """What the last message lists, one entity a line."""
    return request.messages[-1]["content"].split("\n")


def obedient(request: CompletionRequest) -> str:
    """Does what it is told, in every decoding."""
    if request.prefix:
        return " is seen."
    if request.schema:
        said = " ".join(f"{line}." for line in lines_of(request))
        return json.dumps({"findings": said, "impression": said})
    if len(request.messages) > 2:
        return " ".join(f"{line[0].upper()}{line[1:]}." for line in lines_of(request)[1:])
    return " ".join(_sentence(line) for line in lines_of(request))


def _sentence(line: str) -> str:
    if line.startswith("no "):
        return f"There is {line}."
    return f"There is {line.removeprefix('place: ')}."


class Engine:
    """An engine that writes with a function, 5 tokens each, and remembers its rounds: what it had to do at once."""

    def __init__(self, write: Callable[[CompletionRequest], str | Completion]) -> None:
        self.write, self.calls = write, []

    def __call__(self, requests: Sequence[CompletionRequest], on_completion: OnCompletion) -> None:
        numbers = count()
        while requests:
            self.calls.append(list(requests))
            said = [self.write(request) for request in requests]
            ended = [one if isinstance(one, Completion) else Completion(one, 5) for one in said]
            requests = [more for completion in ended for more in on_completion(next(numbers), completion)]


def completions(run: AnyEngine, requests: Sequence[CompletionRequest]) -> list[Completion]:
    """What an engine writes for `requests`, in order."""
    written: dict[int, Completion] = {}

    def on_completion(number: int, completion: Completion) -> list[CompletionRequest]:
        assert number not in written
        written[number] = completion
        return []

    run(requests, on_completion)
    return [written[number] for number in range(len(requests))]
