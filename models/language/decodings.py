"""The decodings by name: how a report is put to an engine, and what is made of its completions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from models.contracts import ReportDraft, ReportRequest
from models.language import as_json, sections, segments
from models.language.script import Engine, ReportCoroutine, run_concurrently

Decoding = Literal["entity_grammar", "segments", "json", "free"]
DECODINGS: Mapping[Decoding, Callable[[ReportRequest], ReportCoroutine]] = {
    "entity_grammar": sections.constrained,
    "segments": segments.segmented,
    "json": as_json.as_object,
    "free": sections.free,
}
"""The coroutine that writes one report, by decoding."""


def write_drafts(requests: Sequence[ReportRequest], decoding: Decoding, engine: Engine) -> list[ReportDraft]:
    """One draft per request, in order; a request that fails keeps its error and stops no other."""
    results = run_concurrently(coroutines_of(requests, decoding), engine)
    return [
        ReportDraft(
            sample_id=request.sample_id,
            findings=result.findings,
            impression=result.impression,
            tokens=result.tokens,
            seed=request.seed,
            attempt=request.attempt,
            error=result.error,
            fault=result.fault,
            refused=result.refused,
        )
        for request, result in zip(requests, results, strict=True)
    ]


def coroutines_of(requests: Sequence[ReportRequest], decoding: Decoding) -> list[ReportCoroutine]:
    """How each of `requests` is written."""
    return [DECODINGS[decoding](request) for request in requests]
