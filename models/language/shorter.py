"""An IMPRESSION said again in fewer words, for an image generator that reads no more than so many tokens."""

from __future__ import annotations

from collections.abc import Sequence

from models.contracts import ReportDraft, ReportRequest
from models.language.decodings import Decoding
from models.language.grammar import impression_shapes
from models.language.script import CompletionRequest, Engine, ReportCoroutine, ReportResult, clean, run_concurrently
from models.language.sections import impression_request, order_of_findings, order_of_impression

AGAIN = "That is too long. Say it again in at most {words} words, and name every finding that you named."
_OWN_SEED = 1 << 50


def shorten_drafts(
    requests: Sequence[ReportRequest],
    drafts: Sequence[ReportDraft],
    shares: Sequence[float],
    decoding: Decoding,
    engine: Engine,
) -> list[ReportDraft]:
    """The drafts with a shorter IMPRESSION, in order; FINDINGS stay. A failed one keeps its error.

    Args:
        requests, drafts: as they were asked and written.
        shares: how much of each IMPRESSION may stay, in (0, 1).
        decoding: where it leaves a choice of texts, the shortest is taken and no engine is asked.
        engine: writes the rest.
    """
    if decoding in ("entity_grammar", "segments"):
        said = [_shortest(request, draft) for request, draft in zip(requests, drafts, strict=True)]
    else:
        said = run_concurrently([_said_again(*of) for of in zip(requests, drafts, shares, strict=True)], engine)
    return [
        ReportDraft(
            sample_id=draft.sample_id,
            findings=done.findings,
            impression=done.impression,
            tokens=draft.tokens + done.tokens,
            seed=draft.seed,
            attempt=draft.attempt,
            error=done.error,
            fault=done.fault,
        )
        for draft, done in zip(drafts, said, strict=True)
    ]


def _said_again(request: ReportRequest, draft: ReportDraft, share: float) -> ReportCoroutine:
    wanted, _ = impression_request(request, order_of_findings(request), draft.findings)
    words = max(1, int(share * len(draft.impression.split())))
    messages = [
        *wanted.messages,
        {"role": "assistant", "content": draft.impression},
        {"role": "user", "content": AGAIN.format(words=words)},
    ]
    (completion,) = yield [CompletionRequest(messages, wanted.seed + _OWN_SEED, wanted.budget, attempt=wanted.attempt)]
    error = completion.error and f"IMPRESSION, said again: {completion.error}"
    return ReportResult(draft.findings, clean(completion.text), completion.tokens, error, completion.fault)


def _shortest(request: ReportRequest, draft: ReportDraft) -> ReportResult:
    shapes = impression_shapes(order_of_impression(request))
    return ReportResult(draft.findings, min([draft.impression, *shapes], key=len), 0)
