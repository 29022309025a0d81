"""The sections of a report: which text describes this film, and which the history or the indication."""

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
    r"(?:(?:(?<=\n)|^)[ \t]*(?:FINAL REPORT[ \t]+)?([A-Za-z][A-Za-z ,/()&#+-]{2,70}?)"
    r"|(?<=[.\s])(FINDINGS|IMPRESSION|CONCLUSION|INDICATION|HISTORY|COMPARISON|TECHNIQUE|RECOMMENDATIONS?))\s*:(?:\s+|$)"
)
_TITLE = re.compile(
    r"^[ \t*_]*(?:(?:(?:FINAL|PRELIMINARY) REPORT|(?:FINAL )?ADDENDUM|WET READ)[ \t*_]*$|FINAL REPORT[ \t]+)",
    re.MULTILINE,
)
_NO_TEXT = re.compile(
    r"^[ \t*_]*(?:(?:FINAL|PRELIMINARY) REPORT|(?:FINAL )?ADDENDUM|WET READ(?: VERSION[ \t#]*\d+)?)\b"
    r"(?:[ \t*_\d:./]|\b(?:AM|PM|MON|TUE|WED|THU|FRI|SAT|SUN)\b)*|^[ \t]*_{5,}[ \t]*$",
    re.MULTILINE,
)
_FINAL = re.compile(r"^[ \t*_]*FINAL REPORT\b", re.MULTILINE)
_ASIDE = ("wet read", "preliminary read", "addendum")  # text that is no part of the report's own body
_WITHIN = ("chest", "lungs")  # headings that also stand under FINDINGS
_BLANK = re.compile(r"\n[ \t]*\n|(?i:\bcomparison is made\b)")
BODY = ("findings", "impression")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report: its name (``findings`` where none is known), where its text starts and ends, its heading.

    `heading` is in lower case, and empty for text without one; `start` is where the heading stands.
    """

    name: str
    start: int
    end: int
    heading: str = ""


def sections(text: str) -> list[Section]:
    """The sections of `text` in order; text before the first heading, and under an unknown one, is findings.

    A heading stands at the start of a line or is a known word in capitals, and ends in a colon. A section that is no
    part of the body ends at its first blank line: many reports go on with findings there without a heading. A title
    such as FINAL REPORT is a ``notice`` of its own.
    """
    marks = [("findings", 0, 0, "")]
    for match in _HEADING.finditer(text):
        raw = " ".join((match.group(1) or match.group(2)).lower().split())
        name = _SECTION.get(raw) or _SECTION.get(re.sub(r"\s*\(.*?\)", "", raw).strip())
        if name is None and not (match.group(1) or "").isupper():
            continue  # "Lines and tubes:" inside FINDINGS opens no section of its own
        marks.append((name or "findings", match.start(1 if match.group(1) else 2), match.end(), raw))
    for match in _TITLE.finditer(text):
        marks += [("notice", match.start(), match.end(), ""), ("findings", match.end(), match.end(), "")]
    marks.sort(key=lambda mark: mark[1])
    parts: list[Section] = []
    for (name, start, inner, heading), (_, end, _, _) in zip(marks, [*marks[1:], ("", len(text), 0, "")], strict=True):
        cut = None if name in BODY else _BLANK.search(text, inner, end)
        if cut is not None:
            parts.append(Section(name, start, cut.start(), heading))
            name, start, heading = "findings", cut.start(), ""
        if start < end:
            parts.append(Section(name, start, end, heading))
    return parts


def body(text: str) -> str:
    """What follows the last title FINAL REPORT; all of `text` where there is none, or nothing follows it."""
    titles = list(_FINAL.finditer(text))
    final = text[titles[-1].end() :] if titles else ""
    return final if re.search(r"\w", final) else text


def last(text: str, name: str) -> str:
    """The text of the last section called `name` (MIT-LCP's rule for MIMIC-CXR), empty where there is none.

    Sections under unknown headings belong to the one that they follow, such as LUNGS under FINDINGS. A section with a
    heading of its own goes before text without one, and a wet read or an addendum counts only where there is no other.
    """
    runs: list[list[Section]] = []
    for part in sections(text):
        opens = part.heading in _ASIDE or (part.heading in _SECTION and part.heading not in _WITHIN)
        if runs and not opens and runs[-1][-1].name == part.name:
            runs[-1].append(part)
        else:
            runs.append([part])
    plain = [
        (run[0].heading, " ".join(without_titles(text[run[0].start : run[-1].end]).split()))
        for run in runs
        if run[0].name == name
    ]
    found = [(heading, passage) for heading, passage in plain if re.search(r"\w", passage)]
    headed = [(heading, passage) for heading, passage in found if heading and heading not in _ASIDE]
    return (headed or found or [("", "")])[-1][1]


def without_titles(text: str) -> str:
    """`text` without titles such as FINAL REPORT or WET READ with its time, and without ruled lines."""
    return _NO_TEXT.sub("", text)
