"""Turn a report into the short text that one training step reads."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Text = Literal["sentence", "report", "impression", "findings"]
"""What a training step reads of a report: mostly one sentence of it, all of it, or one of its two parts."""

_PARTS = re.compile(r"\b(FINDINGS|IMPRESSION)\s*:", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_LIST_MARK = re.compile(r"^\s*(?:\d+[.)]|[-*])\s*")


@dataclass(frozen=True, slots=True)
class ReportText:
    """A report as training reads it: the sentences of its two parts."""

    findings: tuple[str, ...]
    impression: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.findings or self.impression)


def split_report(text: str) -> ReportText:
    """Split ``FINDINGS: … IMPRESSION: …`` into sentences; text without headings counts as impression."""
    parts = {"FINDINGS": "", "IMPRESSION": ""}
    pieces = _PARTS.split(text)
    parts["IMPRESSION" if len(pieces) == 1 else "FINDINGS"] += pieces[0]
    for heading, body in zip(pieces[1::2], pieces[2::2], strict=True):
        parts[heading.upper()] += " " + body
    return ReportText(_sentences(parts["FINDINGS"]), _sentences(parts["IMPRESSION"]))


def _sentences(body: str) -> tuple[str, ...]:
    stripped = (_LIST_MARK.sub("", piece).strip() for piece in _SENTENCE.split(body.strip()))
    return tuple(piece for piece in stripped if any(char.isalpha() for char in piece))


def step_text(report: ReportText, text: Text, rng: random.Random) -> str:
    """What one step reads of `report`, for each kind of `text`.

    A report without the part that is asked for is read by its other part, so that every image has a text.

    Args:
        report: sentences of FINDINGS and IMPRESSION, not both empty.
        text: which part is read; ``sentence`` is `training_text`.
        rng: seeded by training seed, epoch and sample; the other kinds draw nothing.
    """
    if text == "sentence":
        return training_text(report, rng)
    parts = {
        "report": (*report.findings, *report.impression),
        "impression": report.impression or report.findings,
        "findings": report.findings or report.impression,
    }
    return " ".join(parts[text])


def equal_text_rows(texts: Sequence[str]) -> int:
    """How many of the texts occur more than once among them."""
    return sum(count for count in Counter(texts).values() if count > 1)


def training_text(report: ReportText, rng: random.Random, whole: float = 0.1, from_findings: float = 0.3) -> str:
    """What one step reads of `report`: mostly one random sentence, as GLoRIA does (paper section 4).

    Short texts resemble zero-shot prompts, and two films that share one finding of several can still get
    equal texts. The draws depend on `rng` only.

    Args:
        report: sentences of FINDINGS and IMPRESSION, not both empty.
        rng: seeded by arm, epoch and sample.
        whole: how often the whole IMPRESSION is read instead (ConVIRT, CheXzero).
        from_findings: how often the sentence comes from FINDINGS where both parts have some.
    """
    roll, part = rng.random(), rng.random()
    if report.impression and (roll < whole or (not report.findings and len(report.impression) == 1)):
        return " ".join(report.impression)
    use_findings = bool(report.findings) and (part < from_findings or not report.impression)
    pool = report.findings if use_findings else report.impression
    if not pool:
        raise ValueError("the report has no sentence to read: neither FINDINGS nor IMPRESSION holds a word")
    return pool[rng.randrange(len(pool))]
