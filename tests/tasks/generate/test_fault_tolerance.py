"""Engines that die: nothing made is lost, a request that kills costs one sample, and no shard of rejects."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contracts import Gate, ModelNotFound, ReportDraft, ReportRequest, RequestsRefused
from models.gates.text.report import Completeness, PromptLength
from models.phantom.template import TemplateReportGenerator
from tasks.generate.fault_tolerance import ReportsLost, check_refusals
from tasks.generate.reports import ReportBatch, ReportOptions, write_reports
from tasks.plan.spec import SampleSpec
from tests.tasks.generate.test_reports import Wordy, seed_of, spec, words_in

GATES: list[tuple[Gate, float]] = [(Completeness(), 1.0)]


class Mortal(TemplateReportGenerator):
    """The template writer with a fault per call: an exception to raise, or what to do to each draft."""

    def __init__(self, *faults: BaseException | Callable[[ReportDraft], ReportDraft] | None) -> None:
        self.faults, self.calls, self.restarts = list(faults), [], 0

    def restart(self) -> None:
        self.restarts += 1

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        self.calls.append([(request.sample_id, request.seed) for request in requests])
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, BaseException):
            raise fault
        drafts = super().generate(requests)
        return [fault(draft) for draft in drafts] if fault else drafts


def lose(*samples: str) -> Callable[[ReportDraft], ReportDraft]:
    """Spoil the drafts of `samples` by a fault of the engine."""

    def spoil(draft: ReportDraft) -> ReportDraft:
        if draft.sample_id not in samples:
            return draft
        return ReportDraft(draft.sample_id, "", "", 0, draft.seed, draft.attempt, "429 too many requests", True)

    return spoil


def write(generator: TemplateReportGenerator, count: int = 5, **options: float) -> ReportBatch:
    specs = [spec(n) for n in range(count)]
    return write_reports(specs, generator, GATES, ReportOptions(attempts=3, seed_of=seed_of, **options))  # type: ignore[arg-type]


def test_one_death_costs_a_fresh_start_and_no_sample() -> None:
    generator = Mortal(RuntimeError("engine core died"))
    batch = write(generator)
    assert (len(batch.rows), generator.restarts) == (5, 1)
    assert generator.calls[0] == generator.calls[1], "the same requests with the same seeds"
    assert [row.attempts for row in batch.rows] == [1] * 5
    assert [row.findings for row in batch.rows] == [row.findings for row in write(TemplateReportGenerator()).rows]


def test_a_second_death_loses_only_what_was_not_yet_made() -> None:
    generator = Mortal(lose("s-3"), MemoryError("no room"), OSError("still none"))
    batch = write(generator, error_budget=0.2)
    assert [row.sample_id for row in batch.rows] == ["s-0", "s-1", "s-2", "s-4"]
    (reject,) = batch.rejects
    assert (reject.sample_id, reject.gate, reject.attempts) == ("s-3", "draft", 2)
    assert reject.reason == "the engine died each time that it was given this request: OSError: still none"
    assert len(generator.calls) == 3, "a dead engine is not asked for a third attempt"


def test_progress_ends_at_all_when_the_engine_dies() -> None:
    seen: list[tuple[int, int]] = []
    generator = Mortal(RuntimeError(), RuntimeError())
    write_reports(
        [spec(0)], generator, GATES, ReportOptions(attempts=3, seed_of=seed_of), lambda *count: seen.append(count)
    )
    assert seen == [(1, 1)]


def test_an_engine_without_restart_is_asked_once_more() -> None:
    class Plain(TemplateReportGenerator):
        deaths = 1

        def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
            self.deaths -= 1
            if self.deaths >= 0:
                raise RuntimeError("gone")
            return super().generate(requests)

    assert len(write(Plain()).rows) == 5


def test_more_losses_than_the_budget_fail_the_shard_with_the_remedy() -> None:
    generator = Mortal(*[lose("s-1", "s-2")] * 3)
    with pytest.raises(
        ReportsLost, match=r"2 of 5 reports.*error_budget = 0\.2.*s-1: 429 too many.*run again, or raise"
    ):
        write(generator, error_budget=0.2)
    assert len(write(Mortal(*[lose("s-1", "s-2")] * 3), error_budget=0.4).rejects) == 2


def test_a_fault_that_a_later_attempt_cures_is_no_loss() -> None:
    batch = write(Mortal(lose("s-0", "s-1", "s-2", "s-3", "s-4")), error_budget=0.0)
    assert [row.attempts for row in batch.rows] == [2] * 5


def test_bad_text_and_bad_input_are_not_the_engines_losses() -> None:
    specs = [spec(0, "  "), SampleSpec("s-1", 1, 0, ())]
    batch = write_reports(
        specs, TemplateReportGenerator(), GATES, ReportOptions(attempts=2, seed_of=seed_of, error_budget=0.0)
    )
    assert len(batch.rejects) == 2


def refuse(*samples: str) -> Callable[[ReportDraft], ReportDraft]:
    """Have the engine refuse the requests of `samples`, each with numbers of its own."""

    def spoil(draft: ReportDraft) -> ReportDraft:
        if draft.sample_id not in samples:
            return draft
        why = f"the prompt has {draft.seed} tokens, more than max_model_len = 64: raise it"
        return replace(draft, findings="", impression="", error=why, refused=True)

    return spoil


ALL = [f"s-{n}" for n in range(5)]


def test_a_shard_whose_requests_are_all_refused_for_one_reason_fails_at_once_with_it() -> None:
    generator = Mortal(refuse(*ALL))
    with pytest.raises(RequestsRefused, match=r"none of the 5 requests.*s-0: the prompt has 0 tokens.*64: raise it$"):
        write(generator, stop_at_refusal=True)
    assert len(generator.calls) == 1, "no second attempt"


def test_one_refused_request_among_good_ones_costs_its_sample_only() -> None:
    batch = write(Mortal(*[refuse("s-2")] * 3), stop_at_refusal=True)
    assert [row.sample_id for row in batch.rejects] == ["s-2"]


def test_a_top_up_of_bad_samples_only_costs_these_and_not_the_run() -> None:
    assert len(write(Mortal(*[refuse(*ALL)] * 3)).rejects) == 5


def test_requests_refused_for_different_reasons_are_no_fault_of_the_recipe() -> None:
    drafts = [ReportDraft(f"s-{n}", "", "", 0, n, error=why, refused=True) for n, why in enumerate(("long", "odd"))]
    check_refusals(drafts)
    check_refusals([])


@pytest.mark.parametrize(
    "fault", [ModelNotFound("no weights: pip install x"), RequestsRefused("401: mend the key"), KeyboardInterrupt()]
)
def test_missing_weights_and_an_interrupt_are_no_drafts(fault: BaseException) -> None:
    generator = Mortal(fault)
    with pytest.raises(type(fault)):
        write(generator)
    assert generator.restarts == 0


class Poisoned(Wordy):
    """An engine that dies of some samples, of the first `times`, and stays dead until it is started afresh.

    Its IMPRESSIONs are as long as `Wordy` makes them; those of `poison_again` kill only when they are said again.
    """

    def __init__(self, poison: Collection[str], times: int = 10**6, poison_again: Collection[str] = ()) -> None:
        super().__init__("")
        self.poison, self.times, self.poison_again = poison, times, poison_again
        self.calls: list[tuple[str, list[str]]] = []
        self.restarts, self.dead = 0, False

    def restart(self) -> None:
        self.restarts, self.dead = self.restarts + 1, False

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        self._run("generate", requests, self.poison)
        return super().generate(requests)

    def shorten(
        self, requests: Sequence[ReportRequest], drafts: Sequence[ReportDraft], shares: Sequence[float]
    ) -> list[ReportDraft]:
        self._run("shorten", requests, self.poison_again)
        return super().shorten(requests, drafts, shares)

    def _run(self, verb: str, requests: Sequence[ReportRequest], poison: Collection[str]) -> None:
        names = [request.sample_id for request in requests]
        self.calls.append((verb, names))
        if self.dead or (self.times and set(names) & set(poison)):
            self.times, self.dead = self.times - (not self.dead), True
            raise RuntimeError("EngineCore died")


def shorten(generator: Poisoned, count: int = 8, error_budget: float = 1.0) -> ReportBatch:
    return write_reports(
        [spec(n) for n in range(count)],
        generator,
        [*GATES, (PromptLength(), 0.0)],
        ReportOptions(
            attempts=3,
            seed_of=seed_of,
            count_tokens=words_in,
            token_limit=20,
            summarise_again=True,
            error_budget=error_budget,
        ),
    )


def names(numbers: Collection[int]) -> list[str]:
    return [f"s-{n}" for n in sorted(numbers)]


def deaths(part: range, poison: Collection[int]) -> int:
    """How often an engine dies until halving `part` has found every poison in it."""
    if not set(part) & set(poison):
        return 0
    half = len(part) // 2
    return 1 + (deaths(part[:half], poison) + deaths(part[half:], poison) if half else 0)


def test_without_a_death_the_engine_is_called_as_if_nothing_guarded_it() -> None:
    generator = Poisoned([])
    shorten(generator, 3)
    assert generator.calls == [("generate", names(range(3))), ("shorten", names(range(3)))]
    assert generator.restarts == 0


def test_a_request_that_kills_once_costs_no_sample() -> None:
    generator = Poisoned(["s-2"], times=1)
    assert (len(write(generator).rows), generator.restarts) == (5, 1)


def test_a_request_that_always_kills_costs_its_own_sample_and_no_second_attempt() -> None:
    generator = Poisoned(["s-5"])
    batch = write(generator, 8, error_budget=0.2)
    (reject,) = batch.rejects
    assert (reject.sample_id, reject.gate, reject.attempts) == ("s-5", "draft", 1)
    assert reject.reason == "the engine died each time that it was given this request: RuntimeError: EngineCore died"
    assert generator.restarts == 2 + 3, "twice with all, then once with 4, with 2 and alone"
    undisturbed = {row.sample_id: row for row in write(Poisoned([]), 8).rows}
    assert batch.rows == [row for sample, row in undisturbed.items() if sample != "s-5"]


@given(st.integers(1, 24).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), max_size=2))))
def test_up_to_two_requests_that_kill_are_found_wherever_they_are(drawn: tuple[int, set[int]]) -> None:
    count, poison = drawn
    batch = write(Poisoned(names(poison)), count)
    assert [reject.sample_id for reject in batch.rejects] == names(poison)
    assert [row.sample_id for row in batch.rows] == names(set(range(count)) - poison)


@given(st.integers(1, 24).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_more_are_found_as_far_as_the_fresh_starts_go_and_the_rest_says_why(drawn: tuple[int, set[int]]) -> None:
    count, poison = drawn
    generator, most = Poisoned(names(poison)), 3 + 2 * (count - 1).bit_length()
    batch = write(generator, count)
    needed = deaths(range(count), poison) + bool(poison)
    assert generator.restarts == min(needed, most)
    unasked = [r.sample_id for r in batch.rejects if f"not asked, since the engine died {most} times" in r.reason]
    killed = [r.sample_id for r in batch.rejects if "each time that it was given this request" in r.reason]
    assert len(unasked) + len(killed) == len(batch.rejects)
    assert set(killed) <= set(names(poison)) <= set(killed + unasked)
    if needed < most:
        assert unasked == []


def test_an_engine_that_dies_of_everything_fails_the_shard_after_its_fresh_starts() -> None:
    generator = Poisoned(names(range(8)))
    with pytest.raises(ReportsLost, match=r"8 of 8 reports.*s-0: the engine died each time.*EngineCore died"):
        write(generator, 8, error_budget=0.2)
    assert generator.restarts == len(generator.calls) == 3 + 2 * 3


def test_requests_that_kill_count_against_the_error_budget() -> None:
    assert len(write(Poisoned(["s-1", "s-6"]), 8, error_budget=0.25).rejects) == 2
    with pytest.raises(ReportsLost, match="2 of 8 reports"):
        write(Poisoned(["s-1", "s-6"]), 8, error_budget=0.2)


def test_what_waits_for_another_attempt_when_the_starts_are_used_up_is_lost_to_the_engine() -> None:
    class Careless(Poisoned):
        def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
            return [replace(d, findings="Nothing.") if d.sample_id == "s-0" else d for d in super().generate(requests)]

    generator = Careless(names(range(1, 8)))
    batch = write(generator, 8)
    assert len(batch.rejects) == 8
    assert (batch.rejects[0].sample_id, batch.rejects[0].attempts) == ("s-0", 2)
    assert batch.rejects[0].reason.startswith("not asked, since the engine died 9 times in this shard")
    with pytest.raises(ReportsLost, match="8 of 8"):
        write(Careless(names(range(1, 8))), 8, error_budget=0.9)


def test_saying_again_is_guarded_too_and_costs_only_the_request_that_kills() -> None:
    once = Poisoned([], times=1, poison_again=["s-3"])
    assert (len(shorten(once).rows), once.restarts) == (8, 1)
    always = Poisoned([], poison_again=["s-3"])
    batch = shorten(always, error_budget=0.2)
    assert [row.sample_id for row in batch.rows] == names(set(range(8)) - {3})
    (reject,) = batch.rejects
    assert (reject.sample_id, reject.gate, reject.attempts) == ("s-3", "draft", 1)
    assert "each time that it was given this request" in reject.reason
    assert "As said." in reject.impression, "the text that was there before is kept for whoever looks"
    assert always.restarts == 2 + 3
    assert [verb for verb, _ in always.calls].count("generate") == 1, "what was written is not written again"


def test_the_fresh_starts_are_shared_by_writing_and_saying_again() -> None:
    generator = Poisoned(["s-0", "s-7"], poison_again=["s-3"])
    batch = shorten(generator)
    assert generator.restarts == 9
    assert len(batch.rejects) == 8
    assert {reject.sample_id for reject in batch.rejects if "each time" in reject.reason} == {"s-0", "s-7"}


def test_a_server_that_never_answers_is_not_asked_in_halves() -> None:
    generator = Mortal(*[ConnectionError("check base_url")] * 99)
    with pytest.raises(ReportsLost, match="ConnectionError: check base_url"):
        write(generator, error_budget=0.2)
    assert len(generator.calls) == 2


def write_or_die(requests: Sequence[ReportRequest]) -> list[ReportDraft]:
    """The work of a process that kills itself when it meets one sample."""
    if any(request.sample_id == "s-1" for request in requests):
        os.kill(os.getpid(), signal.SIGKILL)
    return TemplateReportGenerator().generate(requests)


def test_a_process_that_one_request_kills_writes_all_others() -> None:
    class InProcess(TemplateReportGenerator):
        def __init__(self) -> None:
            self.pool = ProcessPoolExecutor(1, mp_context=get_context("forkserver"))

        def restart(self) -> None:
            self.pool.shutdown()
            self.__init__()

        def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
            return self.pool.submit(write_or_die, requests).result()

    generator = InProcess()
    batch = write(generator, 2)
    generator.pool.shutdown()
    assert [row.sample_id for row in batch.rows] == ["s-0"]
    assert "BrokenProcessPool" in batch.rejects[0].reason
