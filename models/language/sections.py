"""Two passes, FINDINGS and then IMPRESSION from them: each bound by a grammar of its own, or free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.contracts import Mention, ReportRequest
from models.findings.mention_text import arrange
from models.language.grammar import findings_grammar, findings_pattern, impression_grammar, impression_pattern
from models.language.prompts import findings_messages, impression_messages
from models.language.script import Completion, CompletionRequest, ReportCoroutine, ReportResult, budget_of, clean


def constrained(request: ReportRequest) -> ReportCoroutine:
    """How ``entity_grammar`` writes a report: each section bound by a grammar of its own."""
    return _two_passes(request, bound=True)


def free(request: ReportRequest) -> ReportCoroutine:
    """How ``free`` writes a report: both sections unbound."""
    return _two_passes(request, bound=False)


def _two_passes(request: ReportRequest, bound: bool) -> ReportCoroutine:
    mentions = order_of_findings(request)
    try:
        grammar = findings_grammar(mentions)
    except ValueError as error:
        return ReportResult("", "", 0, f"FINDINGS: {error}")
    wanted = findings_request(request, mentions)
    (first,) = yield [replace(wanted, grammar=grammar, pattern=findings_pattern(mentions)) if bound else wanted]
    findings = clean(first.text)
    if first.error:
        return failed_findings(first)
    wanted, named = impression_request(request, mentions, findings)
    if bound:
        wanted = replace(wanted, grammar=impression_grammar(named), pattern=impression_pattern(named))
    (second,) = yield [wanted]
    error = second.error and f"IMPRESSION: {second.error}"
    return ReportResult(
        findings, clean(second.text), first.tokens + second.tokens, error, second.fault, second.refused
    )


def order_of_findings(request: ReportRequest) -> tuple[Mention, ...]:
    """The mentions as FINDINGS states them."""
    return arrange(request.mentions, request.seed)


def order_of_impression(request: ReportRequest) -> tuple[Mention, ...]:
    """The mentions as the IMPRESSION names them."""
    return arrange(request.mentions, request.seed + 1)


def findings_request(request: ReportRequest, mentions: Sequence[Mention]) -> CompletionRequest:
    """The request for FINDINGS, unbound."""
    return CompletionRequest(
        findings_messages(mentions), 2 * request.seed, budget_of(request), attempt=request.attempt
    )


def impression_request(
    request: ReportRequest, mentions: Sequence[Mention], findings: str
) -> tuple[CompletionRequest, tuple[Mention, ...]]:
    """The request for the IMPRESSION of `findings`, unbound; with the mentions in the order that it lists."""
    named = order_of_impression(request)
    messages = impression_messages(named, findings_messages(mentions), findings)
    return CompletionRequest(messages, 2 * request.seed + 1, budget_of(request), attempt=request.attempt), named


def failed_findings(completion: Completion) -> ReportResult:
    """The result of a report whose FINDINGS did not come."""
    return ReportResult(
        clean(completion.text),
        "",
        completion.tokens,
        f"FINDINGS: {completion.error}",
        completion.fault,
        completion.refused,
    )
