"""Two passes, FINDINGS and then IMPRESSION from them: each bound by a grammar of its own, or free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.contracts import Mention, ReportRequest
from models.findings.content import arrange
from models.language.grammar import findings_grammar, findings_pattern, impression_grammar, impression_pattern
from models.language.prompts import findings_messages, impression_messages
from models.language.writing import Answer, Ask, Script, Written, budget_of, clean


def constrained(request: ReportRequest) -> Script:
    """The script of ``entity_grammar``."""
    return _two_passes(request, bound=True)


def free(request: ReportRequest) -> Script:
    """The script of ``free``."""
    return _two_passes(request, bound=False)


def _two_passes(request: ReportRequest, bound: bool) -> Script:
    mentions = order_of_findings(request)
    try:
        grammar = findings_grammar(mentions)
    except ValueError as error:
        return Written("", "", 0, f"FINDINGS: {error}")
    ask = ask_findings(request, mentions)
    (first,) = yield [replace(ask, grammar=grammar, pattern=findings_pattern(mentions)) if bound else ask]
    findings = clean(first.text)
    if first.error:
        return failed_findings(first)
    ask, named = ask_impression(request, mentions, findings)
    if bound:
        ask = replace(ask, grammar=impression_grammar(named), pattern=impression_pattern(named))
    (second,) = yield [ask]
    error = second.error and f"IMPRESSION: {second.error}"
    return Written(findings, clean(second.text), first.tokens + second.tokens, error, second.fault, second.refused)


def order_of_findings(request: ReportRequest) -> tuple[Mention, ...]:
    """The mentions as FINDINGS states them."""
    return arrange(request.mentions, request.seed)


def order_of_impression(request: ReportRequest) -> tuple[Mention, ...]:
    """The mentions as the IMPRESSION names them."""
    return arrange(request.mentions, request.seed + 1)


def ask_findings(request: ReportRequest, mentions: Sequence[Mention]) -> Ask:
    """Ask for FINDINGS, free."""
    return Ask(findings_messages(mentions), 2 * request.seed, budget_of(request), attempt=request.attempt)


def ask_impression(
    request: ReportRequest, mentions: Sequence[Mention], findings: str
) -> tuple[Ask, tuple[Mention, ...]]:
    """Ask for the IMPRESSION of `findings`, free; with the mentions in the order that it is asked for."""
    named = order_of_impression(request)
    messages = impression_messages(named, findings_messages(mentions), findings)
    return Ask(messages, 2 * request.seed + 1, budget_of(request), attempt=request.attempt), named


def failed_findings(answer: Answer) -> Written:
    """The end of a script whose FINDINGS did not come."""
    return Written(clean(answer.text), "", answer.tokens, f"FINDINGS: {answer.error}", answer.fault, answer.refused)
