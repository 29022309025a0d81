"""Reports over any engine: rounds, faults that stay alone, and bad requests in every decoding."""

from __future__ import annotations

from typing import get_args

import pytest

from models.contracts import EntityType, Mention, ReportRequest
from models.language.decodings import DECODINGS, Decoding, write_drafts
from models.language.script import Completion, CompletionRequest
from tests.models.language.fakes import Engine, obedient

A = EntityType.ABNORMALITY
EFFUSION = Mention("a", A, "small left pleural effusion", "pleural effusion")
NODULE = Mention("b", A, "lung nodule", "lung nodule")
GOOD = ReportRequest("good", (EFFUSION, NODULE), 7, attempt=1)


@pytest.mark.parametrize("decoding", DECODINGS)
def test_every_decoding_writes_both_sections_and_passes_the_attempt_on(decoding: Decoding) -> None:
    engine = Engine(obedient)
    (draft,) = write_drafts([GOOD], decoding, engine)
    assert (draft.sample_id, draft.seed, draft.attempt, draft.error) == ("good", 7, 1, None)
    assert "effusion" in draft.findings
    assert "nodule" in draft.impression
    assert {request.attempt for call in engine.calls for request in call} == {1}
    assert (draft.tokens, len(engine.calls)) == ((5, 1) if decoding in ("json", "segments") else (10, 2))


@pytest.mark.parametrize("decoding", DECODINGS)
def test_bad_requests_never_reach_the_engine_and_stop_no_other(decoding: Decoding) -> None:
    engine = Engine(obedient)
    bad = [ReportRequest("empty", (), 1), ReportRequest("blank", (Mention("b", A, " \n "),), 2)]
    empty, good, blank = write_drafts([bad[0], GOOD, bad[1]], decoding, engine)
    assert "at least one mention" in (empty.error or "")
    assert "'b' has no words" in (blank.error or "")
    assert (good.error, empty.fault, blank.fault) == (None, False, False)
    assert all(len(call) == 1 for call in engine.calls)


@pytest.mark.parametrize("decoding", DECODINGS)
def test_a_refused_request_is_the_engines_fault_and_stops_no_other(decoding: Decoding) -> None:
    poison = ReportRequest("poison", (Mention("p", A, "poison"), NODULE), 3)

    def say(request: CompletionRequest) -> str | Completion:
        return Completion("", 0, "refused", fault=True) if "poison" in str(request.messages) else obedient(request)

    drafts = write_drafts([GOOD, poison, GOOD], decoding, Engine(say))
    assert [draft.fault for draft in drafts] == [False, True, False]
    assert "refused" in (drafts[1].error or "")


@pytest.mark.parametrize("decoding", ["entity_grammar", "free"])
def test_a_failed_impression_says_which_section(decoding: Decoding) -> None:
    def say(request: CompletionRequest) -> str | Completion:
        return Completion("", 4, "cut off") if len(request.messages) > 2 else obedient(request)

    (draft,) = write_drafts([GOOD], decoding, Engine(say))
    assert (draft.error, draft.tokens, draft.fault) == ("IMPRESSION: cut off", 9, False)


def test_requests_of_one_round_share_an_engine_call() -> None:
    engine = Engine(
        lambda request: "Clear." if "nodule" in str(request.messages[1]) and not request.prefix else obedient(request)
    )
    write_drafts([ReportRequest("a", (EFFUSION, EFFUSION), 1), GOOD, GOOD], "segments", engine)
    assert [len(call) for call in engine.calls] == [3, 2 * 2]


def test_nothing_asked_is_no_call() -> None:
    engine = Engine(obedient)
    assert write_drafts([], "segments", engine) == []
    assert engine.calls == []


def test_every_name_of_a_decoding_has_its_coroutine() -> None:
    assert tuple(DECODINGS) == get_args(Decoding)
