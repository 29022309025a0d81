"""Coroutines of reports side by side on one engine, and what every decoding shares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest

from models.language.script import (
    Completion,
    CompletionRequest,
    OnCompletion,
    ReportCoroutine,
    ReportResult,
    check_ladder,
    clean,
    run_concurrently,
    step_of,
)  # fmt: skip
from tests.models.language.fakes import Engine


def request(text: str) -> CompletionRequest:
    return CompletionRequest([{"role": "user", "content": text}], 1, 8)


def said(completion: CompletionRequest) -> str:
    return completion.messages[-1]["content"].upper()


def in_turns(name: str, turns: int) -> ReportCoroutine:
    """Asks for one text after the other and returns them all."""
    texts = []
    for turn in range(turns):
        (completion,) = yield [request(f"{name}{turn}")]
        texts.append(completion.text)
    return ReportResult(" ".join(texts), "", turns)


def at_once(name: str, texts: int) -> ReportCoroutine:
    """Asks for all its texts together."""
    completions = yield [request(f"{name}{text}") for text in range(texts)]
    return ReportResult(" ".join(completion.text for completion in completions), "", texts)


def test_results_stand_in_the_order_of_the_coroutines_whatever_their_length() -> None:
    results = run_concurrently([in_turns("a", 3), in_turns("b", 1), at_once("c", 2)], Engine(said))
    assert [result.findings for result in results] == ["A0 A1 A2", "B0", "C0 C1"]


def test_what_follows_is_asked_for_as_soon_as_its_own_texts_are_written() -> None:
    """An engine that writes the newest text first: one coroutine ends before the other has its first text."""
    order: list[str] = []

    def newest_first(requests: Sequence[CompletionRequest], on_completion: OnCompletion) -> None:
        numbers = count()
        waiting = [(next(numbers), one) for one in requests]
        while waiting:
            number, one = waiting.pop()
            order.append(said(one))
            waiting += [(next(numbers), more) for more in on_completion(number, Completion(said(one), 1))]

    results = run_concurrently([in_turns("a", 1), in_turns("b", 3)], newest_first)
    assert order == ["B0", "B1", "B2", "A0"]
    assert [result.findings for result in results] == ["A0", "B0 B1 B2"]


def test_texts_that_were_asked_for_together_come_back_together_and_in_order() -> None:
    def newest_first(requests: Sequence[CompletionRequest], on_completion: OnCompletion) -> None:
        for number in reversed(range(len(requests))):
            assert on_completion(number, Completion(said(requests[number]), 1)) == []

    assert run_concurrently([at_once("c", 3)], newest_first)[0].findings == "C0 C1 C2"


def test_a_coroutine_that_asks_for_nothing_needs_no_engine() -> None:
    engine = Engine(said)
    assert run_concurrently([in_turns("a", 0)], engine) == [ReportResult("", "", 0)]
    assert engine.calls == []


def test_the_ladder_ends_on_its_last_step() -> None:
    assert [step_of((1.0, 1.5), attempt) for attempt in range(4)] == [1.0, 1.5, 1.5, 1.5]
    assert 0.7 * step_of((1.0,), 5) == 0.7
    for ladder in ([], [1.0, 0.0], [-1.0]):
        with pytest.raises(ValueError, match="factor above 0 for each attempt"):
            check_ladder(ladder, 0.7)


def test_headings_and_chatter_go() -> None:
    assert clean(" **FINDINGS**: Clear\n lungs.\n\nLet me know!") == "Clear lungs."
