"""An IMPRESSION that is too long is said again: chosen where texts are bound, asked for where they are free."""

from __future__ import annotations

from collections.abc import Callable

from models.contracts import ReportDraft, ReportRequest
from models.language.script import Completion, CompletionRequest
from models.language.shorter import shorten_drafts
from tests.models.language.fakes import Engine

LONG = "There is, as far as this film can tell, a finding of note, and another one, and the rest is unremarkable."


def draft_of(request: ReportRequest) -> ReportDraft:
    return ReportDraft(request.sample_id, "Findings.", LONG, 40, request.seed, request.attempt)


def test_free_text_is_asked_for_again_with_a_number_of_words(
    requests_for: Callable[..., list[ReportRequest]],
) -> None:
    requests, engine = requests_for(3), Engine(lambda _: "IMPRESSION: Short.")
    drafts = shorten_drafts(requests, [draft_of(r) for r in requests], [0.5] * 3, "free", engine)
    assert [draft.impression for draft in drafts] == ["Short."] * 3
    assert [draft.findings for draft in drafts] == ["Findings."] * 3
    assert [draft.tokens for draft in drafts] == [45] * 3
    (sent,) = engine.calls
    assert all("at most 10 words" in request.messages[-1]["content"] for request in sent)
    assert all(request.messages[-2] == {"role": "assistant", "content": LONG} for request in sent)
    assert len({request.seed for request in sent}) == 3


def test_bound_text_takes_the_shortest_that_is_allowed_and_asks_nobody(
    requests_for: Callable[..., list[ReportRequest]],
) -> None:
    requests, engine = requests_for(8), Engine(lambda _: "never")
    for decoding in ("segments", "entity_grammar"):
        drafts = shorten_drafts(requests, [draft_of(r) for r in requests], [0.5] * 8, decoding, engine)
        assert all(len(draft.impression) < len(LONG) for draft in drafts)
        assert [draft.tokens for draft in drafts] == [40] * 8
    assert engine.calls == []


def test_an_engine_that_fails_leaves_its_reason(requests_for: Callable[..., list[ReportRequest]]) -> None:
    def broken(_: CompletionRequest) -> Completion:
        return Completion("", 0, "cut off", fault=True)

    (draft,) = shorten_drafts(requests_for(1), [draft_of(requests_for(1)[0])], [0.5], "free", Engine(broken))
    assert (draft.error, draft.fault) == ("IMPRESSION, said again: cut off", True)
