"""An IMPRESSION said again in fewer words, for an image generator that reads no more than so many tokens."""

from __future__ import annotations

from collections.abc import Sequence

from models.contracts import ReportDraft, ReportRequest
from models.language.grammar import impression_shapes
from models.language.sections import ask_impression, order_of_findings, order_of_impression
from models.language.writing import Ask, Decoding, Engine, Script, Written, clean, play

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
        said = play([_asked(*of) for of in zip(requests, drafts, shares, strict=True)], engine)
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


def _asked(request: ReportRequest, draft: ReportDraft, share: float) -> Script:
    ask, _ = ask_impression(request, order_of_findings(request), draft.findings)
    words = max(1, int(share * len(draft.impression.split())))
    messages = [
        *ask.messages,
        {"role": "assistant", "content": draft.impression},
        {"role": "user", "content": AGAIN.format(words=words)},
    ]
    (answer,) = yield [Ask(messages, ask.seed + _OWN_SEED, ask.budget, attempt=ask.attempt)]
    error = answer.error and f"IMPRESSION, said again: {answer.error}"
    return Written(draft.findings, clean(answer.text), answer.tokens, error, answer.fault)


def _shortest(request: ReportRequest, draft: ReportDraft) -> Written:
    shapes = impression_shapes(order_of_impression(request))
    return Written(draft.findings, min([draft.impression, *shapes], key=len), 0)
