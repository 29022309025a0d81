"""Which entities each report of a corpus names: what `synth audit pairs` learns co-occurrence from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from models.findings.chest_recogniser import Span, SpanRecogniser
from tasks.corpora.mentions import mine
from tasks.corpora.reports import Report

BATCH = 256


def entity_ids(reports: Iterable[Report], recogniser: SpanRecogniser) -> Iterator[set[str]]:
    """The entity ids of each report, named as `synth audit entities` names them in a bank."""
    stream = iter(reports)
    while batch := list(islice(stream, BATCH)):
        for report, spans in zip(batch, recogniser.spans([report.text for report in batch]), strict=True):
            yield {f"{found.type.value}/{found.term}" for found in mine([report], _Precomputed(spans)).entities}


@dataclass(frozen=True, slots=True)
class _Precomputed:
    """A recogniser whose spans are known already."""

    found: list[Span]

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        return [self.found for _ in texts]
