"""Draw the films of a shard: generate, score, decide, and retry only what failed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.contracts import Candidate, EntityType, Gate, ImageGenerator, ImageRequest, Mention
from models.gates.film.view import CachedCandidates
from storage.png import encode_png
from storage.records import PairRow, RejectRow, ReportRow
from tasks.generate.attempts import Attempts, SampleState, SeedOf, SettledCallback, run_attempts
from tasks.generate.image_faults import FaultTolerantImageGenerator
from tasks.plan.axes import prompt_prefix

STAGE = "images"
NOT_A_NUMBER = "the film holds values that are no numbers"


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """The outcome of a shard: every report is in `samples` (row and PNG) or in `rejects`, in the reports' order.

    `stats` holds ``films`` (drawn in all), ``attempts`` (most for one sample), ``retried``, ``batch`` (films at a
    time that fitted into memory) and ``seconds``; and in milliseconds what the parts took, which overlap:
    ``ms.generator``, and ``ms.gate.<name>`` for every gate that reports its cost.
    """

    samples: list[tuple[PairRow, bytes]]
    rejects: list[RejectRow]
    stats: dict[str, float]


@dataclass(frozen=True, slots=True)
class ImageOptions:
    """How films are drawn.

    Args:
        attempts: most films per report.
        batch: films asked of the generator at a time.
        seed_of: the seed for a sample id and an attempt (from 0).
        provenance: kept with every pair.
        prompt_axes: whether age, sex and view stand before the IMPRESSION in the prompt.
    """

    attempts: int
    batch: int
    seed_of: SeedOf
    provenance: Mapping[str, Any] = field(default_factory=dict)
    prompt_axes: bool = False

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.batch < 1:
            raise ValueError(f"images.attempts ({self.attempts}) and images.batch ({self.batch}) must be at least 1")


@dataclass(frozen=True, slots=True)
class _Prompted:
    """A report and the prompt that it makes."""

    report: ReportRow
    mentions: tuple[Mention, ...]
    prompt: str
    prompt_tokens: int


State = SampleState[_Prompted, np.ndarray | bytes]
"""`made` is a film until the gates have decided, and a PNG of one that passed from then on."""


def draw_images(
    reports: Sequence[ReportRow],
    generator: ImageGenerator,
    gates: Sequence[tuple[Gate, float]],
    options: ImageOptions,
    on_progress: SettledCallback | None = None,
) -> ImageBatch:
    """Draw and verify one film per report from its IMPRESSION; a failed one is tried again with a new seed.

    Args:
        reports: accepted reports.
        generator: the image generator.
        gates: image gates, each with the score that it takes to pass.
        options: see there.
        on_progress: called after each batch.

    Raises:
        RequestsRefused: the generator fails whatever it is asked; one bad prompt among good ones is a reject.
    """
    started = time.perf_counter()
    states = [State(prompted, prompted.report.sample_id) for prompted in _prompted(reports, generator, options)]
    drawer = _Drawer(generator, len(states))
    on_gpu = not generator.card.details.get("device", "cpu").startswith("cpu")
    attempts = Attempts(options.attempts, options.seed_of, options.batch, beside=on_gpu)
    spent = run_attempts(states, drawer, gates, attempts, on_progress)
    model = generator.card.reference
    return ImageBatch(
        samples=[_sample(state, model, options.provenance) for state in states if state.failed is None],
        rejects=[_reject(state) for state in states if state.failed is not None],
        stats={
            "films": sum(state.attempts for state in states),
            "attempts": max((state.attempts for state in states), default=0),
            "retried": sum(state.attempts > 1 for state in states),
            "batch": min(options.batch, int(generator.card.details.get("batch", options.batch))),
            "seconds": time.perf_counter() - started,
            **({"ms.generator": drawer.milliseconds} if states else {}),
            **spent,
        },
    )


class _Drawer:
    """Draws the films of a batch (`tasks.generate.attempts.Maker`).

    Attributes:
        milliseconds: spent in the generator.
    """

    def __init__(self, generator: ImageGenerator, samples: int) -> None:
        self._generator, self._limit = FaultTolerantImageGenerator(generator, samples), generator.token_limit
        self.milliseconds = 0.0

    def make(self, batch: Sequence[State], attempt: int) -> None:
        """Draw one film per state; a prompt that cannot be drawn fails its own."""
        requests = [ImageRequest(state.sample_id, state.sample.prompt, state.seed, attempt) for state in batch]
        started = time.perf_counter()
        films = self._generator.generate(requests)
        self.milliseconds += 1000 * (time.perf_counter() - started)
        for state, film in zip(batch, films, strict=True):
            if isinstance(film, str):
                state.gates = [state.fail("draft", f"the image generator failed: {film}")]
            else:
                state.made = film

    def candidates(self, batch: Sequence[State]) -> Sequence[Candidate]:
        """The films, with what they were asked to show."""
        return CachedCandidates(
            Candidate(
                sample_id=state.sample_id,
                mentions=state.sample.mentions,
                findings=state.sample.report.findings,
                impression=state.sample.report.impression,
                image=_film(state),
                prompt_tokens=state.sample.prompt_tokens,
                prompt_limit=self._limit,
            )
            for state in batch
        )

    def settle(self, state: State) -> None:
        """Keep the PNG of a film that passed, and no other."""
        film = _film(state)
        if state.failed is None and film.dtype != np.uint8:  # without a finite gate nothing else would stop it
            state.fail("finite", NOT_A_NUMBER)
        state.made = encode_png(film) if state.failed is None else None


def read_mentions(row: ReportRow | PairRow) -> tuple[Mention, ...]:
    """The mentions that a stored report was asked for."""
    return tuple(Mention(**{**mention, "type": EntityType(mention["type"])}) for mention in row.mentions)


def labels_of(mentions: Sequence[Mention]) -> dict[str, int]:
    """What is known of a film from its plan: 1 for a finding asked, 0 for one denied."""
    known = {m.label: 0 for m in mentions if m.label is not None and not m.present}
    return known | {m.label: 1 for m in mentions if m.label is not None and m.present}


def _prompted(reports: Sequence[ReportRow], generator: ImageGenerator, options: ImageOptions) -> list[_Prompted]:
    prompts = [(prompt_prefix(report.axes) if options.prompt_axes else "") + report.impression for report in reports]
    counts = generator.count_tokens(prompts)
    return [_Prompted(r, read_mentions(r), p, n) for r, p, n in zip(reports, prompts, counts, strict=True)]


def _film(state: State) -> np.ndarray:
    assert isinstance(state.made, np.ndarray), state.sample_id
    return state.made


def _sample(state: State, model: str, provenance: Mapping[str, Any]) -> tuple[PairRow, bytes]:
    report, prompt, data = state.sample.report, state.sample.prompt, state.made
    assert isinstance(data, bytes), state.sample_id
    row = PairRow(
        sample_id=report.sample_id,
        index=report.index,
        findings=report.findings,
        impression=report.impression,
        entities=report.entities,
        mentions=report.mentions,
        labels=labels_of(state.sample.mentions),
        report_seed=report.seed,
        report_attempts=report.attempts,
        report_tokens=report.tokens_all_attempts,
        report_model=report.model,
        image_seed=state.seed,
        image_attempts=state.attempts,
        prompt_tokens=state.sample.prompt_tokens,
        png_sha256=hashlib.sha256(data).hexdigest(),
        gates=[*report.gates, *state.gates],
        image_model=model,
        axes=report.axes,
        provenance=dict(provenance) if prompt == report.impression else {**provenance, "prompt": prompt},
    )
    return row, data


def _reject(state: State) -> RejectRow:
    report, failed = state.sample.report, state.failed
    assert failed is not None, report.sample_id
    return RejectRow(
        sample_id=report.sample_id,
        index=report.index,
        stage=STAGE,
        gate=failed.gate,
        score=float("nan") if failed.score is None else failed.score,
        threshold=failed.threshold,
        reason=failed.reason,
        attempts=state.attempts,
        entities=report.entities,
        findings=report.findings,
        impression=report.impression,
        gates=[*report.gates, *state.gates],
    )
