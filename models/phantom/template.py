"""The phantom hospital's own report writer behind the protocol: no language model, thousands of reports a second.

For fast runs, and as the ablation that shows what a language model adds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.contracts import ModelCard, ReportDraft, ReportRequest
from models.phantom import report


class TemplateReportGenerator:
    """Writes reports from sentence templates (protocol `ReportGenerator`); it takes no options."""

    @property
    def card(self) -> ModelCard:
        """The writer's card; `sha256` covers its source, which is all the weights it has."""
        digest = hashlib.sha256(Path(report.__file__).read_bytes()).hexdigest()
        return ModelCard("template", "phantom-report", digest[:12], digest, "Apache-2.0")

    def generate(self, requests: Sequence[ReportRequest]) -> list[ReportDraft]:
        """One draft per request, in order; `tokens` is 0, since no language model ran."""
        return [_write(request) for request in requests]


def _write(request: ReportRequest) -> ReportDraft:
    empty = [mention.entity for mention in request.mentions if not mention.phrase.strip()]
    error = f"entity {empty[0]!r} has no words to state" if empty else None
    error = error or (None if request.mentions else "a report needs at least one mention")
    findings, impression = (
        ("", "") if error else report.write_report(request.mentions, np.random.default_rng(request.seed))
    )
    return ReportDraft(request.sample_id, findings, impression, 0, request.seed, request.attempt, error)
