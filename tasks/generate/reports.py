"""Write the reports of a shard: generate, score, decide, and retry only what failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.contracts import Candidate, Gate, ReportDraft, ReportGenerator, ReportRequest
from storage.records import RejectRow, ReportRow
from tasks.generate.attempts import Attempts, SampleState, SeedOf, SettledCallback, run_attempts
from tasks.generate.fault_tolerance import FaultTolerantGenerator, check_losses, check_refusals
from tasks.generate.fit import CountTokens, check_shortens, fit_drafts
from tasks.plan.spec import SampleSpec

STAGE = "reports"
State = SampleState[SampleSpec, ReportDraft]


@dataclass(frozen=True, slots=True)
class ReportBatch:
    """The outcome of a shard: every sample is in `rows` or in `rejects`, both in the order of the specs.

    `stats` holds ``drafts``, ``tokens`` (of all drafts), ``attempts`` (most for one sample), ``errors`` (drafts
    that the engine failed) and ``seconds``.
    """

    rows: list[ReportRow]
    rejects: list[RejectRow]
    stats: dict[str, float]


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How reports are written.

    Args:
        attempts: most drafts per sample.
        seed_of: the seed for a sample id and an attempt (from 0).
        count_tokens: token counts of prompts for the image generator; the prompt-length gate needs it.
        token_limit: most tokens that the image generator takes.
        summarise_again: have an IMPRESSION said in fewer words where the image generator would cut it off.
        error_budget: largest share of the samples that may be lost to the engine.
        stop_at_refusal: fail the shard where the engine takes none of its requests. Not for a top-up: its samples may
            all be bad by themselves.
    """

    attempts: int
    seed_of: SeedOf
    count_tokens: CountTokens | None = None
    token_limit: int | None = None
    summarise_again: bool = False
    error_budget: float = 1.0
    stop_at_refusal: bool = False

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"reports.attempts is {self.attempts}: at least one attempt is needed")


def write_reports(
    specs: Sequence[SampleSpec],
    generator: ReportGenerator,
    gates: Sequence[tuple[Gate, float]],
    options: ReportOptions,
    on_progress: SettledCallback | None = None,
) -> ReportBatch:
    """Write and verify one report per spec; a failed one is tried again with a new seed.

    Args:
        specs: what each report must state.
        generator: the report generator.
        gates: text gates, each with the score that it takes to pass.
        options: see there.
        on_progress: called after each attempt.

    Raises:
        ValueError: the prompt-length gate is asked for without token counts, or `summarise_again` of a generator that
            cannot.
        RequestsRefused: the engine cannot serve any request, or took none (`stop_at_refusal`).
        ReportsLost: more than `error_budget` of the samples have no report because the engine failed.
    """
    limited = options.count_tokens is not None and options.token_limit is not None
    if not limited and "prompt_length" in {gate.name for gate, _ in gates}:
        raise ValueError("the gate prompt_length needs count_tokens and token_limit of an image generator")
    if options.summarise_again:
        check_shortens(generator)
    started = time.perf_counter()
    states = [State(spec, spec.sample_id) for spec in specs]
    writer = _Writer(FaultTolerantGenerator(generator, len(specs)), options)
    run_attempts(states, writer, gates, Attempts(options.attempts, options.seed_of), on_progress)
    failed = {state.sample_id: _draft(state) for state in states if state.failed is not None}
    check_losses(failed, len(states), options.error_budget)
    passed = [state for state in states if state.failed is None]
    model = generator.card.reference if passed else ""
    return ReportBatch(
        rows=[_row(state, model, writer.tokens[state.sample_id]) for state in passed],
        rejects=[_reject(state) for state in states if state.failed is not None],
        stats={
            "drafts": sum(state.attempts for state in states),
            "tokens": writer.tokens.total(),
            "attempts": max((state.attempts for state in states), default=0),
            "errors": writer.errors,
            "seconds": time.perf_counter() - started,
        },
    )


class _Writer:
    """Writes the drafts of a batch (`tasks.generate.attempts.Maker`).

    Attributes:
        tokens: of all drafts so far, by sample id.
        errors: drafts that the engine failed.
    """

    def __init__(self, generator: FaultTolerantGenerator, options: ReportOptions) -> None:
        self._generator, self._options = generator, options
        self.tokens: Counter[str] = Counter()
        self.errors = 0

    def make(self, batch: Sequence[State], attempt: int) -> None:
        """Write one draft per state; those that the engine failed hold the error."""
        options = self._options
        requests = [ReportRequest(state.sample_id, state.sample.mentions, state.seed, attempt) for state in batch]
        drafts = self._generator.generate(requests)
        if attempt == 0 and options.stop_at_refusal:
            check_refusals(drafts)
        if options.summarise_again and options.count_tokens and options.token_limit:
            prefixes = [state.sample.image_prefix for state in batch]
            drafts = fit_drafts(self._generator, requests, drafts, prefixes, options.count_tokens, options.token_limit)
        for state, draft in zip(batch, drafts, strict=True):
            state.made = draft
            state.given_up = state.sample_id in self._generator.lost
            self.tokens[state.sample_id] += draft.tokens
            self.errors += draft.error is not None

    def candidates(self, batch: Sequence[State]) -> list[Candidate]:
        """The drafts, with the tokens of the prompts that they would make."""
        drafts, count = [_draft(state) for state in batch], self._options.count_tokens
        prompts = [state.sample.image_prefix + draft.impression for state, draft in zip(batch, drafts, strict=True)]
        counts = count(prompts) if count else [None] * len(prompts)
        return [
            Candidate(
                sample_id=state.sample_id,
                mentions=state.sample.mentions,
                findings=draft.findings,
                impression=draft.impression,
                prompt_tokens=tokens,
                prompt_limit=self._options.token_limit,
            )
            for state, draft, tokens in zip(batch, drafts, counts, strict=True)
        ]

    def settle(self, state: State) -> None:
        """A draft with an error fails, whatever its text scores."""
        error = _draft(state).error
        if error is not None:
            state.gates.append(state.fail("draft", error))


def _row(state: State, model: str, tokens: int) -> ReportRow:
    draft, spec = _draft(state), state.sample
    return ReportRow(
        sample_id=spec.sample_id,
        index=spec.index,
        findings=draft.findings,
        impression=draft.impression,
        entities=_entities(spec),
        mentions=[_plain(asdict(mention)) for mention in spec.mentions],
        seed=draft.seed,
        attempts=state.attempts,
        tokens=draft.tokens,
        tokens_all_attempts=tokens,
        gates=state.gates,
        axes=None if spec.axes is None else dict(spec.axes),
        model=model,
    )


def _reject(state: State) -> RejectRow:
    draft, failed = _draft(state), state.failed
    assert failed is not None, state.sample_id
    return RejectRow(
        sample_id=state.sample_id,
        index=state.sample.index,
        stage=STAGE,
        gate=failed.gate,
        score=float("nan") if failed.score is None else failed.score,
        threshold=failed.threshold,
        reason=failed.reason,
        attempts=state.attempts,
        entities=_entities(state.sample),
        findings=draft.findings,
        impression=draft.impression,
        gates=state.gates,
    )


def _draft(state: State) -> ReportDraft:
    assert state.made is not None, state.sample_id
    return state.made


def _entities(spec: SampleSpec) -> list[str]:
    return [mention.entity for mention in spec.mentions]


def _plain(mention: dict[str, Any]) -> dict[str, Any]:
    """A mention as JSON has it: the enum's text, not the enum."""
    return mention | {"type": str(mention["type"])}
