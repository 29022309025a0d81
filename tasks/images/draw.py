"""Draw the films of a shard: generate, score, decide, and retry only what failed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.contracts import Candidate, EntityType, Gate, ImageGenerator, ImageRequest, Mention
from storage.png import encode_png
from storage.records import GateRow, PairRow, RejectRow, ReportRow
from tasks.decide import decide

STAGE = "images"
NOT_A_NUMBER = "the film holds values that are no numbers"
SeedOf = Callable[[str, int], int]


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """The outcome of a shard: every report is in `samples` (row and PNG) or in `rejects`, in the reports' order.

    `stats` holds ``films`` (drawn in all), ``attempts`` (most for one sample), ``retried`` and ``seconds``.
    """

    samples: list[tuple[PairRow, bytes]]
    rejects: list[RejectRow]
    stats: dict[str, float]


@dataclass(slots=True)
class _Tries:
    """What has come of one report so far."""

    report: ReportRow
    mentions: tuple[Mention, ...]
    prompt_tokens: int
    attempts: int = 0
    seed: int = 0
    image: np.ndarray | None = None
    gates: list[GateRow] = field(default_factory=list)
    failed: GateRow | None = None


def draw_images(
    reports: Sequence[ReportRow],
    generator: ImageGenerator,
    gates: Sequence[tuple[Gate, float]],
    *,
    attempts: int,
    batch: int,
    seed_of: SeedOf,
    on_progress: Callable[[int, int], None] | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> ImageBatch:
    """Draw and verify one film per report from its IMPRESSION; a failed one is tried again with a new seed.

    Args:
        reports: accepted reports.
        generator: the image generator.
        gates: image gates, each with the score that it takes to pass.
        attempts: most films per report.
        batch: films asked of the generator at a time.
        seed_of: the seed for a sample id and an attempt (from 0).
        on_progress: called with films settled and films in all, after each batch.
        provenance: kept with every pair.

    Raises:
        ValueError: `attempts` or `batch` is below 1.
    """
    if attempts < 1 or batch < 1:
        raise ValueError(f"images.attempts ({attempts}) and images.batch ({batch}) must be at least 1")
    thresholds = {gate.name: threshold for gate, threshold in gates}
    started = time.perf_counter()
    tokens = generator.count_tokens([report.impression for report in reports])
    every = [_Tries(r, read_mentions(r), n) for r, n in zip(reports, tokens, strict=True)]
    pending = every
    for attempt in range(attempts):
        last = attempt + 1 == attempts
        for start in range(0, len(pending), batch):
            _attempt(pending[start : start + batch], generator, gates, thresholds, seed_of, attempt)
            if on_progress is not None:
                waiting = pending[start + batch :]
                failed = [] if last else [t for t in pending[: start + batch] if t.failed is not None]
                on_progress(len(every) - len(waiting) - len(failed), len(every))
        pending = [tries for tries in pending if tries.failed is not None]
        if not pending:
            break
    model = f"{generator.card.name}@{generator.card.revision}"
    return ImageBatch(
        samples=[_sample(tries, model, provenance or {}) for tries in every if tries.failed is None],
        rejects=[_reject(tries) for tries in every if tries.failed is not None],
        stats={
            "films": sum(tries.attempts for tries in every),
            "attempts": max((tries.attempts for tries in every), default=0),
            "retried": sum(tries.attempts > 1 for tries in every),
            "seconds": time.perf_counter() - started,
        },
    )


def _attempt(
    part: Sequence[_Tries],
    generator: ImageGenerator,
    gates: Sequence[tuple[Gate, float]],
    thresholds: dict[str, float],
    seed_of: SeedOf,
    attempt: int,
) -> None:
    for tries in part:
        tries.attempts, tries.seed = attempt + 1, seed_of(tries.report.sample_id, attempt)
    films = generator.generate([ImageRequest(t.report.sample_id, t.report.impression, t.seed, attempt) for t in part])
    candidates = [
        Candidate(
            sample_id=tries.report.sample_id,
            mentions=tries.mentions,
            findings=tries.report.findings,
            impression=tries.report.impression,
            image=film,
            prompt_tokens=tries.prompt_tokens,
            prompt_limit=generator.token_limit,
        )
        for tries, film in zip(part, films, strict=True)
    ]
    scores = [gate.score(candidates) for gate, _ in gates]
    for number, (tries, film) in enumerate(zip(part, films, strict=True)):
        tries.image = film
        tries.gates, tries.failed = decide([column[number] for column in scores], thresholds)
        if tries.failed is None and film.dtype != np.uint8:  # without a finite gate nothing else would stop it
            tries.failed = GateRow(gate="finite", score=0.0, threshold=1.0, passed=False, reason=NOT_A_NUMBER)


def read_mentions(row: ReportRow | PairRow) -> tuple[Mention, ...]:
    """The mentions that a stored report was asked for."""
    return tuple(Mention(**{**mention, "type": EntityType(mention["type"])}) for mention in row.mentions)


def labels_of(mentions: Sequence[Mention]) -> dict[str, int]:
    """What is known of a film from its plan: 1 for a finding asked, 0 for one denied."""
    known = {m.label: 0 for m in mentions if m.label is not None and not m.present}
    return known | {m.label: 1 for m in mentions if m.label is not None and m.present}


def _sample(tries: _Tries, model: str, provenance: Mapping[str, Any]) -> tuple[PairRow, bytes]:
    report = tries.report
    assert tries.image is not None, report.sample_id
    data = encode_png(tries.image)
    row = PairRow(
        sample_id=report.sample_id,
        index=report.index,
        findings=report.findings,
        impression=report.impression,
        entities=report.entities,
        mentions=report.mentions,
        labels=labels_of(tries.mentions),
        report_seed=report.seed,
        report_attempts=report.attempts,
        report_tokens=report.tokens_all_attempts,
        image_seed=tries.seed,
        image_attempts=tries.attempts,
        prompt_tokens=tries.prompt_tokens,
        png_sha256=hashlib.sha256(data).hexdigest(),
        gates=[*report.gates, *tries.gates],
        image_model=model,
        provenance=dict(provenance),
    )
    return row, data


def _reject(tries: _Tries) -> RejectRow:
    report, failed = tries.report, tries.failed
    assert failed is not None, report.sample_id
    return RejectRow(
        sample_id=report.sample_id,
        index=report.index,
        stage=STAGE,
        gate=failed.gate,
        score=failed.score,
        threshold=failed.threshold,
        reason=failed.reason,
        attempts=tries.attempts,
        entities=report.entities,
        findings=report.findings,
        impression=report.impression,
        gates=[*report.gates, *tries.gates],
    )
