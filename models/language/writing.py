"""What a report generator asks of an engine, and how reports are written over any engine.

A report is a script: it yields the texts that it needs next and is sent what the engine wrote. Scripts go forward one
by one: as soon as the texts of one are written, what it asks for next joins those that are still being written. So no
report waits for another's longest text, and the engine stays as full as the batch allows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from models.contracts import ReportDraft, ReportRequest
from models.language.prompts import Messages

Decoding = Literal["entity_grammar", "segments", "json", "free"]
_HEADING = re.compile(r"^\s*(?:\*\*)?(?:FINDINGS|IMPRESSION)(?:\*\*)?\s*:\s*", re.IGNORECASE)
TOKENS_PER_MENTION, TOKENS_PER_SECTION = 32, 24
HOTTEST = 2.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One text to write: the chat, the seed and what binds it (nothing: free).

    Args:
        messages: the chat so far.
        seed: of the sampling.
        budget: the most tokens that a sane text takes; a small model that loops is cut off there.
        grammar: EBNF that the text must follow, and `pattern`, the same language as a regular expression.
        schema: JSON schema that the text must follow.
        prefix: how the answer begins already; the engine goes on from there.
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
class Answer:
    """What the engine wrote, after the ask's prefix and as it came.

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
class Written:
    """The end of a script: both sections, or why there are none."""

    findings: str
    impression: str
    tokens: int
    error: str | None = None
    fault: bool = False
    refused: bool = False


Then = Callable[[int, Answer], Sequence[Ask]]
Engine = Callable[[Sequence[Ask], Then], None]
"""Writes texts. It tells `Then` the number of each one that ends, with the answer, and goes on with what that asks for
in return. Texts are numbered from 0 in the order in which they were asked for."""
Script = Generator[Sequence[Ask], Sequence[Answer], Written]


def check_decoding(decoding: str) -> None:
    """Refuse an unknown `decoding`.

    Raises:
        ValueError: it is none of the modes.
    """
    if decoding not in get_args(Decoding):
        known = " or ".join(repr(name) for name in get_args(Decoding))
        raise ValueError(f"decoding is {decoding!r}: it is {known}")


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


def most_tokens(ask: Ask, max_tokens: int) -> int:
    """The most tokens that the answer to `ask` may have."""
    return min(max_tokens, ask.budget)


def step_of(ladder: Sequence[float], attempt: int) -> float:
    """The factor of attempt number `attempt`, from 0."""
    return ladder[min(attempt, len(ladder) - 1)]


def write_drafts(requests: Sequence[ReportRequest], decoding: Decoding, engine: Engine) -> list[ReportDraft]:
    """One draft per request, in order; a request that fails keeps its error and stops no other."""
    written = play(scripts_of(requests, decoding), engine)
    return [
        ReportDraft(
            sample_id=request.sample_id,
            findings=done.findings,
            impression=done.impression,
            tokens=done.tokens,
            seed=request.seed,
            attempt=request.attempt,
            error=done.error,
            fault=done.fault,
            refused=done.refused,
        )
        for request, done in zip(requests, written, strict=True)
    ]


def scripts_of(requests: Sequence[ReportRequest], decoding: Decoding) -> list[Script]:
    """How each of `requests` is written."""
    from models.language import as_json, sections, segments

    script: Callable[[ReportRequest], Script] = {
        "entity_grammar": sections.constrained,
        "free": sections.free,
        "segments": segments.script,
        "json": as_json.script,
    }[decoding]
    return [script(request) for request in requests]


def play(scripts: Sequence[Script], engine: Engine) -> list[Written]:
    """Run scripts to their ends, side by side on one engine."""
    ends: dict[int, Written] = {}
    owners: list[tuple[int, int]] = []  # of each text: its script, and its place in what that asked for
    answers: dict[int, list[Answer | None]] = {}

    def go_on(number: int, sent: Sequence[Answer] | None) -> Sequence[Ask]:
        try:
            asks = next(scripts[number]) if sent is None else scripts[number].send(sent)
        except StopIteration as end:
            ends[number] = end.value
            return []
        owners.extend((number, place) for place in range(len(asks)))
        answers[number] = [None] * len(asks)
        return asks

    def then(text: int, answer: Answer) -> Sequence[Ask]:
        number, place = owners[text]
        answers[number][place] = answer
        sent = [one for one in answers[number] if one is not None]
        return go_on(number, sent) if len(sent) == len(answers[number]) else []

    first = [ask for number in range(len(scripts)) for ask in go_on(number, None)]
    if first:
        engine(first, then)
    return [ends[number] for number in range(len(scripts))]


def clean(text: str) -> str:
    """One line of text without its heading; whatever follows a blank line is chatter and goes."""
    return " ".join(_HEADING.sub("", text.strip().split("\n\n")[0]).split())


def budget_of(request: ReportRequest) -> int:
    """The most tokens that a section of `request` takes."""
    return TOKENS_PER_SECTION + sum(TOKENS_PER_MENTION + len(mention.phrase) // 2 for mention in request.mentions)
