"""The sections of a report: which text speaks of this film, and which of the patient's past or the question asked."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAMES = {
    "findings": ("findings", "finding", "report", "chest", "lungs", "wet read", "preliminary read", "observations"),
    "impression": ("impression", "impressions", "conclusion", "conclusions", "opinion", "summary", "interpretation"),
    "indication": (
        "indication", "indications", "history", "clinical history", "clinical information", "clinical indication",
        "reason for exam", "reason for examination", "reason for the exam", "reason", "admitting diagnosis",
        "patient history", "clinical data", "medical condition",
    ),
    "comparison": ("comparison", "comparisons", "comparison study", "compared to"),
    "technique": (
        "technique", "procedure", "exam", "examination", "study", "type of exam", "views", "exam type", "date of exam",
    ),
    "notice": ("notification", "recommendation", "recommendations", "attestation", "signed by", "dictated by"),
}  # fmt: skip
_SECTION = {name: section for section, names in _NAMES.items() for name in names}
_HEADING = re.compile(
    r"(?:(?:(?<=\n)|^)[ \t]*(?:FINAL REPORT\s+)?([A-Za-z][A-Za-z ,/()&#+-]{2,70}?)"
    r"|(?<=[.\s])(FINDINGS|IMPRESSION|CONCLUSION|INDICATION|HISTORY|COMPARISON|TECHNIQUE|RECOMMENDATIONS?))\s*:(?:\s+|$)"
)
_BLANK = re.compile(r"\n[ \t]*\n|(?i:\bcomparison is made\b)")
BODY = ("findings", "impression")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report: its name (``findings`` where none is known), and where its text starts and ends."""

    name: str
    start: int
    end: int


def sections(text: str) -> list[Section]:
    """The sections of `text` in order; text before the first heading, and under an unknown one, is findings.

    A heading stands at the start of a line or is a known word in capitals, and ends in a colon. A section that is no
    part of the body ends at its first blank line: many reports go on with findings there without a heading.
    """
    marks = [("findings", 0, 0)]
    for match in _HEADING.finditer(text):
        raw = " ".join((match.group(1) or match.group(2)).lower().split())
        name = _SECTION.get(raw) or _SECTION.get(re.sub(r"\s*\(.*?\)", "", raw).strip())
        if name is None and not (match.group(1) or "").isupper():
            continue  # "Lines and tubes:" inside FINDINGS opens no section of its own
        marks.append((name or "findings", match.start(), match.end()))
    parts: list[Section] = []
    for (name, start, inner), (_, end, _) in zip(marks, [*marks[1:], ("", len(text), 0)], strict=True):
        cut = None if name in BODY else _BLANK.search(text, inner, end)
        if cut is not None:
            parts.append(Section(name, start, cut.start()))
            name, start = "findings", cut.start()
        if start < end:
            parts.append(Section(name, start, end))
    return parts


def last(text: str, name: str) -> str:
    """The text of the last section called `name` (MIT-LCP's rule for MIMIC-CXR), empty where there is none."""
    found = [part for part in sections(text) if part.name == name and text[part.start : part.end].strip()]
    return " ".join(text[found[-1].start : found[-1].end].split()) if found else ""
