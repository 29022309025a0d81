"""The two passes of a report, over any engine: FINDINGS for all requests, then IMPRESSION from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from models.contracts import ReportDraft, ReportRequest
from models.language.content import arrange
from models.language.grammar import findings_grammar, findings_pattern, impression_grammar, impression_pattern
from models.language.prompts import Messages, findings_messages, impression_messages

Decoding = Literal["entity_grammar", "free"]
_HEADING = re.compile(r"^\s*(?:\*\*)?(?:FINDINGS|IMPRESSION)(?:\*\*)?\s*:\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ask:
    """One section to write: the chat, the seed and the grammar that binds it (None: free), also as a pattern.

    `budget` is the most tokens that a sane section takes; a small model that loops is cut off there.
    """

    messages: Messages
    seed: int
    budget: int
    grammar: str | None = None
    pattern: re.Pattern[str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine wrote; `error` says why the text is not usable."""

    text: str
    tokens: int
    error: str | None = None


TOKENS_PER_MENTION, TOKENS_PER_SECTION = 32, 24
Engine = Callable[[Sequence[Ask]], list[Answer]]


def check_decoding(decoding: str) -> None:
    """Refuse an unknown `decoding`.

    Raises:
        ValueError: it is neither ``entity_grammar`` nor ``free``.
    """
    if decoding not in ("entity_grammar", "free"):
        raise ValueError(f"decoding is {decoding!r}: it is 'entity_grammar' or 'free'")


def write_in_two_passes(requests: Sequence[ReportRequest], decoding: Decoding, engine: Engine) -> list[ReportDraft]:
    """One draft per request, in order; a request that fails in a pass keeps its error and stops no other."""
    constrained = decoding == "entity_grammar"
    findings = _pass(
        [_ask_findings(request, constrained) for request in requests],
        engine,
    )
    impressions = _pass(
        [
            answer if answer.error else _ask_impression(request, answer.text, constrained)
            for request, answer in zip(requests, findings, strict=True)
        ],
        engine,
    )
    return [
        ReportDraft(
            sample_id=request.sample_id,
            findings=first.text,
            impression="" if first.error else second.text,
            tokens=first.tokens if first.error else first.tokens + second.tokens,
            seed=request.seed,
            attempt=request.attempt,
            error=f"FINDINGS: {first.error}" if first.error else second.error and f"IMPRESSION: {second.error}",
        )
        for request, first, second in zip(requests, findings, impressions, strict=True)
    ]


def clean(text: str) -> str:
    """One line of text without its heading; whatever follows a blank line is chatter and goes."""
    return " ".join(_HEADING.sub("", text.strip().split("\n\n")[0]).split())


def _ask_findings(request: ReportRequest, constrained: bool) -> Ask | Answer:
    mentions = arrange(request.mentions, request.seed)
    messages, seed, budget = findings_messages(mentions), 2 * request.seed, _budget(request)
    try:
        grammar, pattern = findings_grammar(mentions), findings_pattern(mentions)
    except ValueError as error:
        return Answer("", 0, str(error))
    return Ask(messages, seed, budget, grammar, pattern) if constrained else Ask(messages, seed, budget)


def _ask_impression(request: ReportRequest, findings: str, constrained: bool) -> Ask:
    first = findings_messages(arrange(request.mentions, request.seed))
    mentions = arrange(request.mentions, request.seed + 1)
    messages, seed, budget = impression_messages(mentions, first, findings), 2 * request.seed + 1, _budget(request)
    if not constrained:
        return Ask(messages, seed, budget)
    return Ask(messages, seed, budget, impression_grammar(mentions), impression_pattern(mentions))


def _budget(request: ReportRequest) -> int:
    return TOKENS_PER_SECTION + sum(TOKENS_PER_MENTION + len(mention.phrase) // 2 for mention in request.mentions)


def _pass(items: Sequence[Ask | Answer], engine: Engine) -> list[Answer]:
    answers = iter(engine([item for item in items if isinstance(item, Ask)]))
    return [item if isinstance(item, Answer) else next(answers) for item in items]
