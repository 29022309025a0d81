"""Engines that die: nothing made is lost, one fresh start, and no shard of rejects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from models.contracts import Gate, ModelNotFound, ReportDraft, ReportRequest
from models.judges.report import Completeness
from models.language.template import TemplateReportGenerator
from tasks.plan.spec import SampleSpec
from tasks.reports.survive import ReportsLost
from tasks.reports.write import ReportBatch, write_reports
from tests.tasks.reports.test_write import seed_of, spec

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
    return write_reports(specs, generator, GATES, attempts=3, seed_of=seed_of, **options)  # type: ignore[arg-type]


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
    assert reject.reason == "the engine died, and once more after a fresh start: OSError: still none"
    assert len(generator.calls) == 3, "a dead engine is not asked for a third attempt"


def test_progress_ends_at_all_when_the_engine_dies() -> None:
    seen: list[tuple[int, int]] = []
    generator = Mortal(RuntimeError(), RuntimeError())
    write_reports(
        [spec(0)], generator, GATES, attempts=3, seed_of=seed_of, on_progress=lambda *count: seen.append(count)
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
    batch = write_reports(specs, TemplateReportGenerator(), GATES, attempts=2, seed_of=seed_of, error_budget=0.0)
    assert len(batch.rejects) == 2


@pytest.mark.parametrize("fault", [ModelNotFound("no weights: pip install x"), KeyboardInterrupt()])
def test_missing_weights_and_an_interrupt_are_no_drafts(fault: BaseException) -> None:
    generator = Mortal(fault)
    with pytest.raises(type(fault)):
        write(generator)
    assert generator.restarts == 0
