"""Draw the films of a shard: generate, score, decide, and retry only what failed.

On a GPU one thread judges and encodes a batch while the next is drawn: the generator never waits for the gates but at
the end of an attempt. Batches are judged one at a time and in order, so the outcome is as if nothing ran side by side.
On a CPU nothing does: the gates would take their cores from the generator, which cost a tenth of its pace.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.contracts import (
    Candidate,
    EntityType,
    Gate,
    ImageGenerator,
    ImageRequest,
    Mention,
    ModelNotFound,
    RequestsRefused,
    one_line,
)
from models.gates.film.view import Seen
from storage.png import encode_png
from storage.records import GateRow, PairRow, RejectRow, ReportRow
from tasks.generate.decide import decide
from tasks.plan.axes import prompt_prefix

STAGE = "images"
NOT_A_NUMBER = "the film holds values that are no numbers"
FAILED_IN_A_ROW = 3
"""So many samples in a row whose prompts fail alone are no bad prompts: the generator is broken."""

_log = logging.getLogger(__name__)
SeedOf = Callable[[str, int], int]


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """The outcome of a shard: every report is in `samples` (row and PNG) or in `rejects`, in the reports' order.

    `stats` holds ``films`` (drawn in all), ``attempts`` (most for one sample), ``retried``, ``batch`` (films at a
    time that fitted into memory) and ``seconds``; and in milliseconds what the parts took, which overlap:
    ``ms.generator``, and ``ms.gate.<name>`` for every gate that says what it costs.
    """

    samples: list[tuple[PairRow, bytes]]
    rejects: list[RejectRow]
    stats: dict[str, float]


@dataclass(slots=True)
class _Tries:
    """What has come of one report so far."""

    report: ReportRow
    mentions: tuple[Mention, ...]
    prompt: str
    prompt_tokens: int
    attempts: int = 0
    seed: int = 0
    png: bytes = b""
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
    prompt_axes: bool = False,
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
        prompt_axes: whether age, sex and view stand before the IMPRESSION in the prompt.

    Raises:
        ValueError: `attempts` or `batch` is below 1.
        RequestsRefused: the generator fails whatever it is asked; one bad prompt among good ones is a reject.
    """
    if attempts < 1 or batch < 1:
        raise ValueError(f"images.attempts ({attempts}) and images.batch ({batch}) must be at least 1")
    started, spent = time.perf_counter(), defaultdict[str, float](float)
    prompts = [(prompt_prefix(report.axes) if prompt_axes else "") + report.impression for report in reports]
    tokens = generator.count_tokens(prompts)
    every = [_Tries(r, read_mentions(r), p, n) for r, p, n in zip(reports, prompts, tokens, strict=True)]
    pending, guarded = every, _GuardedImages(generator, spent, min(FAILED_IN_A_ROW, max(2, len(every))))
    with _judge_for(generator) as judge:
        for attempt in range(attempts):
            judging: Future[None] | None = None
            for start in range(0, len(pending), batch):
                part = pending[start : start + batch]
                for tries in part:
                    tries.attempts, tries.seed = attempt + 1, seed_of(tries.report.sample_id, attempt)
                films = guarded.draw(part, attempt)
                if judging is not None:
                    judging.result()
                drawn = [(tries, film) for tries, film in zip(part, films, strict=True) if film is not None]
                judging = judge.submit(_judge, drawn, generator.token_limit, gates, spent)
                if on_progress is not None and start:
                    on_progress(_settled(every, pending, start, attempt + 1 == attempts), len(every))
            if judging is not None:
                judging.result()
                if on_progress is not None:
                    on_progress(_settled(every, pending, len(pending), attempt + 1 == attempts), len(every))
            pending = [tries for tries in pending if tries.failed is not None]
    model = f"{generator.card.name}@{generator.card.revision}"
    return ImageBatch(
        samples=[_sample(tries, model, provenance or {}) for tries in every if tries.failed is None],
        rejects=[_reject(tries) for tries in every if tries.failed is not None],
        stats={
            "films": sum(tries.attempts for tries in every),
            "attempts": max((tries.attempts for tries in every), default=0),
            "retried": sum(tries.attempts > 1 for tries in every),
            "batch": min(batch, int(generator.card.details.get("batch", batch))),
            "seconds": time.perf_counter() - started,
            **spent,
        },
    )


class _AtOnce(Executor):
    """Does its work where it is asked to."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def _judge_for(generator: ImageGenerator) -> Executor:
    on_cpu = generator.card.details.get("device", "cpu").startswith("cpu")
    return _AtOnce() if on_cpu else ThreadPoolExecutor(1, thread_name_prefix="judge")


def _settled(every: Sequence[_Tries], pending: Sequence[_Tries], judged: int, last: bool) -> int:
    """Samples that need no further film, when the first `judged` of those `pending` have been judged."""
    again = 0 if last else sum(tries.failed is not None for tries in pending[:judged])
    return len(every) - (len(pending) - judged) - again


class _GuardedImages:
    """Draws with a generator of which a bad prompt costs its own film: what fails together is drawn one by one."""

    def __init__(self, generator: ImageGenerator, spent: dict[str, float], patience: int) -> None:
        self._generator, self._spent, self._patience = generator, spent, patience
        self._failed: set[str] = set()

    def draw(self, part: Sequence[_Tries], attempt: int) -> list[np.ndarray | None]:
        """One film per sample; None for one whose prompt fails alone, which then has the reason.

        Raises:
            RequestsRefused: memory does not hold one film, or prompt after prompt fails.
        """
        requests = [ImageRequest(t.report.sample_id, t.prompt, t.seed, attempt) for t in part]
        started = time.perf_counter()
        films: list[np.ndarray | None]
        try:
            films = [*self._generate(requests)]
        except (ModelNotFound, RequestsRefused):
            raise
        except Exception as error:
            _log.warning("the image generator failed with %d prompts: %r", len(part), error)
            films = [self._alone(tries, request) for tries, request in zip(part, requests, strict=True)]
        self._spent["ms.generator"] += 1000 * (time.perf_counter() - started)
        return films

    def _generate(self, requests: Sequence[ImageRequest]) -> list[np.ndarray]:
        try:
            films = self._generator.generate(requests)
        except MemoryError as error:  # generators halve their batch first, so that it speaks of a single film
            raise RequestsRefused(f"the image generator cannot draw: {one_line(error)}") from error
        self._failed.clear()
        return films

    def _alone(self, tries: _Tries, request: ImageRequest) -> np.ndarray | None:
        try:
            return self._generate([request])[0]
        except (ModelNotFound, RequestsRefused):
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {one_line(error)}"
            self._failed.add(request.sample_id)
            if len(self._failed) == self._patience:
                raise RequestsRefused(
                    f"the image generator failed with {self._patience} samples in a row, the last of which is "
                    f"{request.sample_id}: {why}; mend images.generator and run again: finished shards are safe"
                ) from error
            tries.failed = GateRow(
                gate="draft", score=0.0, threshold=1.0, passed=False, reason=f"the image generator failed: {why}"
            )
            tries.gates = [tries.failed]
            return None


def _judge(
    drawn: Sequence[tuple[_Tries, np.ndarray]],
    token_limit: int,
    gates: Sequence[tuple[Gate, float]],
    spent: dict[str, float],
) -> None:
    """Score, decide, and encode what passed."""
    if not drawn:
        return
    candidates = Seen(
        Candidate(
            sample_id=tries.report.sample_id,
            mentions=tries.mentions,
            findings=tries.report.findings,
            impression=tries.report.impression,
            image=film,
            prompt_tokens=tries.prompt_tokens,
            prompt_limit=token_limit,
        )
        for tries, film in drawn
    )
    scores = [gate.score(candidates) for gate, _ in gates]
    for column in scores:
        for score in column:
            spent[f"ms.gate.{score.gate}"] += 1000 * score.seconds
    thresholds = {gate.name: threshold for gate, threshold in gates}
    for number, (tries, film) in enumerate(drawn):
        tries.gates, tries.failed = decide([column[number] for column in scores], thresholds)
        if tries.failed is None and film.dtype != np.uint8:  # without a finite gate nothing else would stop it
            tries.failed = GateRow(gate="finite", score=0.0, threshold=1.0, passed=False, reason=NOT_A_NUMBER)
        if tries.failed is None:
            tries.png = encode_png(film)


def read_mentions(row: ReportRow | PairRow) -> tuple[Mention, ...]:
    """The mentions that a stored report was asked for."""
    return tuple(Mention(**{**mention, "type": EntityType(mention["type"])}) for mention in row.mentions)


def labels_of(mentions: Sequence[Mention]) -> dict[str, int]:
    """What is known of a film from its plan: 1 for a finding asked, 0 for one denied."""
    known = {m.label: 0 for m in mentions if m.label is not None and not m.present}
    return known | {m.label: 1 for m in mentions if m.label is not None and m.present}


def _sample(tries: _Tries, model: str, provenance: Mapping[str, Any]) -> tuple[PairRow, bytes]:
    report, data = tries.report, tries.png
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
        axes=report.axes,
        provenance=dict(provenance) if tries.prompt == report.impression else {**provenance, "prompt": tries.prompt},
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
        score=float("nan") if failed.score is None else failed.score,
        threshold=failed.threshold,
        reason=failed.reason,
        attempts=tries.attempts,
        entities=report.entities,
        findings=report.findings,
        impression=report.impression,
        gates=[*report.gates, *tries.gates],
    )
