"""Write the reports of a shard: generate, score, decide, and retry only what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from models.contracts import Candidate, Gate, Remembers, ReportDraft, ReportGenerator, ReportRequest
from storage.records import GateRow, RejectRow, ReportRow
from tasks.generate.decide import decide
from tasks.generate.fault_tolerance import GuardedGenerator, check_losses, check_refusals
from tasks.generate.fit import CountTokens, check_shortens, fit_drafts
from tasks.plan.spec import SampleSpec

STAGE = "reports"
SeedOf = Callable[[str, int], int]


@dataclass(frozen=True, slots=True)
class ReportBatch:
    """The outcome of a shard: every sample is in `rows` or in `rejects`, both in the order of the specs.

    `stats` holds ``drafts``, ``tokens`` (of all drafts), ``attempts`` (most for one sample), ``errors`` (drafts
    that the engine failed) and ``seconds``.
    """

    rows: list[ReportRow]
    rejects: list[RejectRow]
    stats: dict[str, float]


@dataclass(slots=True)
class _Tries:
    """What has come of one sample so far."""

    spec: SampleSpec
    attempts: int = 0
    tokens: int = 0
    draft: ReportDraft | None = None
    gates: list[GateRow] = field(default_factory=list)
    failed: GateRow | None = None


def write_reports(
    specs: Sequence[SampleSpec],
    generator: ReportGenerator,
    gates: Sequence[tuple[Gate, float]],
    *,
    attempts: int,
    seed_of: SeedOf,
    count_tokens: CountTokens | None = None,
    token_limit: int | None = None,
    summarise_again: bool = False,
    error_budget: float = 1.0,
    stop_at_refusal: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> ReportBatch:
    """Write and verify one report per spec; a failed one is tried again with a new seed, `attempts` times in all.

    Args:
        specs: what each report must state.
        generator: the report generator.
        gates: text gates, each with the score that it takes to pass.
        attempts: most drafts per sample.
        seed_of: the seed for a sample id and an attempt (from 0).
        count_tokens: token counts of prompts for the image generator; the prompt-length gate needs it.
        token_limit: most tokens that the image generator takes.
        summarise_again: have an IMPRESSION said in fewer words where the image generator would cut it off.
        error_budget: largest share of the samples that may be lost to the engine.
        stop_at_refusal: fail the shard where the engine takes none of its requests. Not for a top-up: its samples may
            all be bad by themselves.
        on_progress: called with samples settled and samples in all, after each round.

    Raises:
        ValueError: `attempts` is below 1, the prompt-length gate is asked for without token counts, or
            `summarise_again` of a generator that cannot.
        RequestsRefused: the engine cannot serve any request, or took none (`stop_at_refusal`).
        ReportsLost: more than `error_budget` of the samples have no report because the engine failed.
    """
    thresholds = {gate.name: threshold for gate, threshold in gates}
    if attempts < 1:
        raise ValueError(f"reports.attempts is {attempts}: at least one attempt is needed")
    if "prompt_length" in thresholds and (count_tokens is None or token_limit is None):
        raise ValueError("the gate prompt_length needs count_tokens and token_limit of an image generator")
    if summarise_again:
        check_shortens(generator)
    engine = GuardedGenerator(generator, len(specs))
    memories = [gate for gate, _ in gates if isinstance(gate, Remembers)]
    for gate in memories:
        gate.forget()
    started = time.perf_counter()
    every = [_Tries(spec) for spec in specs]
    pending, errors = every, 0
    for attempt in range(attempts):
        requests = [
            ReportRequest(t.spec.sample_id, t.spec.mentions, seed_of(t.spec.sample_id, attempt), attempt)
            for t in pending
        ]
        drafts = engine.generate(requests)
        if attempt == 0 and stop_at_refusal:
            check_refusals(drafts)
        if summarise_again and count_tokens and token_limit:
            prefixes = [t.spec.image_prefix for t in pending]
            drafts = fit_drafts(engine, requests, drafts, prefixes, count_tokens, token_limit)
        errors += sum(draft.error is not None for draft in drafts)
        candidates = _judge(pending, drafts, gates, thresholds, count_tokens, token_limit)
        for gate in memories:
            gate.remember([c for tries, c in zip(pending, candidates, strict=True) if tries.failed is None])
        pending = [t for t in pending if t.failed is not None and t.spec.sample_id not in engine.lost]
        if on_progress is not None:
            on_progress(len(every) - (0 if attempt + 1 == attempts else len(pending)), len(every))
        if not pending:
            break
    check_losses({t.spec.sample_id: _draft(t) for t in every if t.failed is not None}, len(every), error_budget)
    return ReportBatch(
        rows=[_row(tries) for tries in every if tries.failed is None],
        rejects=[_reject(tries) for tries in every if tries.failed is not None],
        stats={
            "drafts": sum(tries.attempts for tries in every),
            "tokens": sum(tries.tokens for tries in every),
            "attempts": max((tries.attempts for tries in every), default=0),
            "errors": errors,
            "seconds": time.perf_counter() - started,
        },
    )


def _judge(
    pending: Sequence[_Tries],
    drafts: Sequence[ReportDraft],
    gates: Sequence[tuple[Gate, float]],
    thresholds: dict[str, float],
    count_tokens: CountTokens | None,
    token_limit: int | None,
) -> list[Candidate]:
    prompts = [tries.spec.image_prefix + draft.impression for tries, draft in zip(pending, drafts, strict=True)]
    counts = count_tokens(prompts) if count_tokens else [None] * len(drafts)
    candidates = [
        Candidate(
            sample_id=tries.spec.sample_id,
            mentions=tries.spec.mentions,
            findings=draft.findings,
            impression=draft.impression,
            prompt_tokens=count,
            prompt_limit=token_limit,
        )
        for tries, draft, count in zip(pending, drafts, counts, strict=True)
    ]
    scores = [gate.score(candidates) for gate, _ in gates]
    for number, (tries, draft) in enumerate(zip(pending, drafts, strict=True)):
        tries.draft = draft
        tries.attempts += 1
        tries.tokens += draft.tokens
        tries.gates, tries.failed = decide([column[number] for column in scores], thresholds)
        if draft.error is not None:
            tries.failed = GateRow(gate="draft", score=0.0, threshold=1.0, passed=False, reason=draft.error)
            tries.gates.append(tries.failed)
    return candidates


def _row(tries: _Tries) -> ReportRow:
    draft = _draft(tries)
    return ReportRow(
        sample_id=tries.spec.sample_id,
        index=tries.spec.index,
        findings=draft.findings,
        impression=draft.impression,
        entities=_entities(tries.spec),
        mentions=[_plain(asdict(mention)) for mention in tries.spec.mentions],
        seed=draft.seed,
        attempts=tries.attempts,
        tokens=draft.tokens,
        tokens_all_attempts=tries.tokens,
        gates=tries.gates,
        axes=None if tries.spec.axes is None else dict(tries.spec.axes),
    )


def _reject(tries: _Tries) -> RejectRow:
    draft, failed = _draft(tries), tries.failed
    assert failed is not None, tries.spec.sample_id
    return RejectRow(
        sample_id=tries.spec.sample_id,
        index=tries.spec.index,
        stage=STAGE,
        gate=failed.gate,
        score=float("nan") if failed.score is None else failed.score,
        threshold=failed.threshold,
        reason=failed.reason,
        attempts=tries.attempts,
        entities=_entities(tries.spec),
        findings=draft.findings,
        impression=draft.impression,
        gates=tries.gates,
    )


def _draft(tries: _Tries) -> ReportDraft:
    assert tries.draft is not None, tries.spec.sample_id
    return tries.draft


def _entities(spec: SampleSpec) -> list[str]:
    return [mention.entity for mention in spec.mentions]


def _plain(mention: dict[str, Any]) -> dict[str, Any]:
    """A mention as JSON has it: the enum's text, not the enum."""
    return mention | {"type": str(mention["type"])}
