"""The words between a report generator and an engine, and how reports are written side by side on one engine.

How a report is written is a coroutine: it yields the texts that it needs next and is sent what the engine wrote.
Coroutines go forward one by one: as soon as the texts of one are written, what it requests next joins those that are
still being written. So no report waits for another's longest text, and the engine stays as full as the batch allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.contracts import ReportRequest
from models.language.prompts import Messages

_HEADING = re.compile(r"^\s*(?:\*\*)?(?:FINDINGS|IMPRESSION)(?:\*\*)?\s*:\s*", re.IGNORECASE)
TOKENS_PER_MENTION, TOKENS_PER_SECTION = 32, 24
HOTTEST = 2.0


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One text to write: the chat, the seed and what binds it (nothing: free).

    Args:
        messages: the chat so far.
        seed: of the sampling.
        budget: the most tokens that a sane text takes; a small model that loops is cut off there.
        grammar: EBNF that the text must follow, and `pattern`, the same language as a regular expression.
        schema: JSON schema that the text must follow.
        prefix: how the completion begins already; the engine goes on from there.
        stop: where the text may end before the model ends it.
        attempt: which attempt at the report it belongs to, from 0.
    """

    messages: Messages
    seed: int
    budget: int
    grammar: str | None = None
    pattern: re.Pattern[str] | None = None
    schema: Mapping[str, Any] | None = None
    prefix: str = ""
    stop: str | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What the engine wrote, after the request's prefix and as it came.

    Args:
        text: the text; with an `error` only as far as it goes.
        tokens: what it took.
        error: why the text is not usable.
        fault: the engine is to blame, not the text that the model wrote.
        refused: the engine did not take the request.
    """

    text: str
    tokens: int
    error: str | None = None
    fault: bool = False
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What a report's coroutine returns: both sections, or why there are none."""

    findings: str
    impression: str
    tokens: int
    error: str | None = None
    fault: bool = False
    refused: bool = False


OnCompletion = Callable[[int, Completion], Sequence[CompletionRequest]]
"""Takes the number of a text that ended, and the text; returns what is to be written next because of it."""
Engine = Callable[[Sequence[CompletionRequest], OnCompletion], None]
"""Writes texts. It hands each one that ends to its callback and goes on with what that returns.
Texts are numbered from 0 in the order in which they were requested."""
ReportCoroutine = Generator[Sequence[CompletionRequest], Sequence[Completion], ReportResult]


def check_ladder(ladder: Sequence[float], temperature: float) -> tuple[float, ...]:
    """The factors of the temperature, one per attempt; the last one holds for all that follow.

    Raises:
        ValueError: there is none, one is not above 0, or one leads above the highest temperature that engines take.
    """
    if not ladder or min(ladder) <= 0:
        raise ValueError(f"ladder is {list(ladder)}: it is a factor above 0 for each attempt, such as [1.0, 1.3]")
    if temperature * max(ladder) > HOTTEST:
        highest = f"{temperature:g} x {max(ladder):g} = {temperature * max(ladder):g}"
        raise ValueError(f"temperature and ladder lead to {highest}: engines take at most {HOTTEST:g}")
    return tuple(ladder)


def most_tokens(request: CompletionRequest, max_tokens: int) -> int:
    """The most tokens that the completion of `request` may have."""
    return min(max_tokens, request.budget)


def step_of(ladder: Sequence[float], attempt: int) -> float:
    """The factor of attempt number `attempt`, from 0."""
    return ladder[min(attempt, len(ladder) - 1)]


def run_concurrently(coroutines: Sequence[ReportCoroutine], engine: Engine) -> list[ReportResult]:
    """Run coroutines to their ends, side by side on one engine; their results in order."""
    results: dict[int, ReportResult] = {}
    owners: list[tuple[int, int]] = []  # of each text: its coroutine, and its place in what that requested
    completions: dict[int, list[Completion | None]] = {}

    def advance(number: int, sent: Sequence[Completion] | None) -> Sequence[CompletionRequest]:
        try:
            requests = next(coroutines[number]) if sent is None else coroutines[number].send(sent)
        except StopIteration as end:
            results[number] = end.value
            return []
        owners.extend((number, place) for place in range(len(requests)))
        completions[number] = [None] * len(requests)
        return requests

    def on_completion(text: int, completion: Completion) -> Sequence[CompletionRequest]:
        number, place = owners[text]
        completions[number][place] = completion
        sent = [one for one in completions[number] if one is not None]
        return advance(number, sent) if len(sent) == len(completions[number]) else []

    first = [request for number in range(len(coroutines)) for request in advance(number, None)]
    if first:
        engine(first, on_completion)
    return [results[number] for number in range(len(coroutines))]


def clean(text: str) -> str:
    """One line of text without its heading; whatever follows a blank line is chatter and goes."""
    return " ".join(_HEADING.sub("", text.strip().split("\n\n")[0]).split())


def budget_of(request: ReportRequest) -> int:
    """The most tokens that a section of `request` takes."""
    return TOKENS_PER_SECTION + sum(TOKENS_PER_MENTION + len(mention.phrase) // 2 for mention in request.mentions)
