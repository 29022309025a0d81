"""Write, verify, retry what failed, and lose nothing. The phantom's own writer is the generator here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.contracts import Mention, ReportDraft, ReportRequest
from models.gates.text.duplicates import NearDuplicate
from models.gates.text.report import Completeness, ImpressionConsistency, NoExtraFinding, PromptLength
from models.phantom.template import TemplateReportGenerator
from storage.records import RejectRow, ReportRow
from tasks.generate.reports import ReportOptions, write_reports
from tasks.plan.plan import make_plan
from tasks.plan.spec import SampleSpec
from tasks.recipe.schema import GateSpec, Recipe

GATES = [(Completeness(), 1.0), (NoExtraFinding(), 1.0), (ImpressionConsistency(), 1.0)]


class Faulty(TemplateReportGenerator):
    """The template writer with faults of a sample's first attempts."""

    def __init__(self, **faults: Sequence[str]) -> None:
        self.faults, self.seen = faults, []

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        self.seen.append([(request.sample_id, request.attempt, request.seed) for request in requests])
        return [
            self._spoil(request, draft) for request, draft in zip(requests, super().generate(requests), strict=True)
        ]

    def _spoil(self, request: ReportRequest, draft: ReportDraft) -> ReportDraft:
        faults = self.faults.get(request.sample_id.replace("-", "_"), ())
        fault = faults[request.attempt] if request.attempt < len(faults) else ""
        draft = replace(draft, tokens=10)
        if fault == "error":
            return replace(draft, findings="", impression="", error="the engine refused the request")
        return replace(draft, findings=draft.findings + " There is a large right lung mass.") if fault else draft


def spec(number: int, words: str = "moderate left pleural effusion") -> SampleSpec:
    mention = Mention("abnormality/pleural effusion", "abnormality", words, "pleural effusion", True)  # type: ignore[arg-type]
    return SampleSpec(f"s-{number}", number, 0, (mention,))


def seed_of(sample_id: str, attempt: int) -> int:
    return 1000 * int(sample_id.split("-")[1]) + attempt


def test_a_planned_shard_is_written_and_passes() -> None:
    recipe = Recipe(pairs=48, report_gates=(GateSpec(kind="completeness", threshold=1.0),), image_gates=())
    specs = make_plan(recipe, "f" * 64).samples(0, 48)
    batch = write_reports(
        specs, TemplateReportGenerator(), GATES, ReportOptions(attempts=1, seed_of=lambda s, a: hash((s, a)) % 2**53)
    )
    assert batch.rejects == []
    assert [row.sample_id for row in batch.rows] == [s.sample_id for s in specs]
    row = ReportRow.model_validate_json(batch.rows[0].model_dump_json())
    assert row.entities == [mention.entity for mention in specs[0].mentions]
    assert row.mentions[0]["type"] == str(specs[0].mentions[0].type)
    assert [gate.gate for gate in row.gates] == ["completeness", "no_extra_finding", "impression_consistency"]


def test_only_the_failed_are_tried_again_and_with_a_new_seed() -> None:
    generator = Faulty(s_1=("extra", "extra"), s_2=("error",))
    batch = write_reports([spec(n) for n in range(4)], generator, GATES, ReportOptions(attempts=3, seed_of=seed_of))
    assert [[sample for sample, _, _ in call] for call in generator.seen] == [
        ["s-0", "s-1", "s-2", "s-3"], ["s-1", "s-2"], ["s-1"],
    ]  # fmt: skip
    assert [row.attempts for row in batch.rows] == [1, 3, 2, 1]
    assert [row.seed for row in batch.rows] == [0, 1002, 2001, 3000]
    assert (batch.rows[1].tokens, batch.rows[1].tokens_all_attempts) == (10, 30)
    assert batch.stats | {"seconds": 0} == {"drafts": 7, "tokens": 70, "attempts": 3, "errors": 1, "seconds": 0}


def test_what_never_passes_is_rejected_with_its_reason() -> None:
    generator = Faulty(s_0=("extra",) * 9, s_1=("error",) * 9)
    batch = write_reports([spec(n) for n in range(3)], generator, GATES, ReportOptions(attempts=2, seed_of=seed_of))
    assert [row.sample_id for row in batch.rows] == ["s-2"]
    extra, error = (RejectRow.model_validate_json(row.model_dump_json()) for row in batch.rejects)
    assert (extra.gate, extra.attempts, extra.stage) == ("no_extra_finding", 2, "reports")
    assert "lung mass" in extra.reason
    assert (error.gate, error.reason) == ("draft", "the engine refused the request")


def test_a_poison_request_stops_no_other() -> None:
    specs = [spec(0), spec(1, "   "), SampleSpec("s-2", 2, 0, ()), spec(3, 'a {p} "quoted" \\ {0} opacity')]
    batch = write_reports(specs, TemplateReportGenerator(), GATES[:1], ReportOptions(attempts=2, seed_of=seed_of))
    assert [row.sample_id for row in batch.rows] == ["s-0", "s-3"]
    assert [row.gate for row in batch.rejects] == ["draft", "draft"]


def test_prompt_length_is_measured_by_the_image_generators_tokenizer() -> None:
    gates = [*GATES, (PromptLength(), 0.0)]
    batch = write_reports(
        [spec(0)],
        TemplateReportGenerator(),
        gates,
        ReportOptions(
            attempts=1,
            seed_of=seed_of,
            count_tokens=lambda texts: [len(text.split()) for text in texts],
            token_limit=3,
        ),
    )
    assert batch.rejects[0].reason == "4 tokens exceed the limit of 3"
    with pytest.raises(ValueError, match="prompt_length needs count_tokens"):
        write_reports([spec(0)], TemplateReportGenerator(), gates, ReportOptions(attempts=1, seed_of=seed_of))


def test_progress_counts_the_settled_and_ends_at_all() -> None:
    seen: list[tuple[int, int]] = []
    generator = Faulty(s_0=("extra",), s_1=("extra",) * 9)
    write_reports(
        [spec(n) for n in range(3)],
        generator,
        GATES,
        ReportOptions(attempts=3, seed_of=seed_of),
        lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_no_specs_and_no_attempts() -> None:
    batch = write_reports([], TemplateReportGenerator(), GATES, ReportOptions(attempts=1, seed_of=seed_of))
    assert (batch.rows, batch.rejects, batch.stats["attempts"]) == ([], [], 0)
    with pytest.raises(ValueError, match="at least one attempt"):
        write_reports([spec(0)], TemplateReportGenerator(), GATES, ReportOptions(attempts=0, seed_of=seed_of))


def test_a_copy_of_an_accepted_report_is_written_anew_and_a_new_shard_starts_empty() -> None:
    class Parrot(TemplateReportGenerator):
        def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
            words = "There is a moderate left pleural effusion and nothing else of note in this film."
            return [
                replace(draft, findings=words if request.attempt == 0 else f"{draft.findings} Take {request.attempt}.")
                for request, draft in zip(requests, super().generate(requests), strict=True)
            ]

    gates = [(NearDuplicate(), 0.3)]
    for _ in range(2):
        batch = write_reports([spec(0), spec(1)], Parrot(), gates, ReportOptions(attempts=2, seed_of=seed_of))
        assert [(row.sample_id, row.attempts) for row in batch.rows] == [("s-0", 1), ("s-1", 2)]


class Wordy(TemplateReportGenerator):
    """A writer whose impressions are long, and who can say them again."""

    def __init__(self, again: str) -> None:
        self.again, self.asked = again, []

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        return [replace(draft, impression=draft.impression + " As said." * 40) for draft in super().generate(requests)]

    def shorten(
        self, requests: Sequence[ReportRequest], drafts: Sequence[ReportDraft], shares: Sequence[float]
    ) -> list[ReportDraft]:
        self.asked.append([round(share, 2) for share in shares])
        short = super().generate(requests)
        return [replace(d, impression=self.again or s.impression) for d, s in zip(drafts, short, strict=True)]


def words_in(prompts: Sequence[str]) -> list[int]:
    return [len(prompt.split()) for prompt in prompts]


def test_an_impression_that_would_be_cut_off_is_summarised_once_more_where_asked() -> None:
    gates = [*GATES, (PromptLength(), 0.0)]
    limits = {"attempts": 1, "seed_of": seed_of, "count_tokens": words_in, "token_limit": 20}
    cut = write_reports([spec(0)], Wordy(""), gates, ReportOptions(**limits))
    assert "prompt_length" in {gate.gate for gate in cut.rejects[0].gates if not gate.passed}
    generator = Wordy("")
    kept = write_reports([spec(0)], generator, gates, ReportOptions(summarise_again=True, **limits))
    assert (len(kept.rows), generator.asked) == (1, [[round(0.85 * 20 / 84, 2)]])


def test_a_second_summary_that_is_still_too_long_is_rejected() -> None:
    gates = [*GATES, (PromptLength(), 0.0)]
    batch = write_reports(
        [spec(0)],
        Wordy("Still far " * 30),
        gates,
        ReportOptions(attempts=1, seed_of=seed_of, count_tokens=words_in, token_limit=20, summarise_again=True),
    )
    assert "prompt_length" in {gate.gate for gate in batch.rejects[0].gates if not gate.passed}


def test_a_generator_that_cannot_shorten_is_refused_before_it_writes() -> None:
    with pytest.raises(ValueError, match="summarise_again is true, but template cannot"):
        write_reports(
            [spec(0)],
            TemplateReportGenerator(),
            GATES,
            ReportOptions(attempts=1, seed_of=seed_of, summarise_again=True),
        )
