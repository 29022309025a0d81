"""The text of an archive's film: its report's FINDINGS and IMPRESSION, or sentences made from its labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from models.findings.sections import body, last

RULES = 1
"""Raise it when the rules make other sentences of the same labels."""
RULES_TEXT = """\
1. FINDINGS says "There is X." of every label that is 1, then "Possible X." of every -1, then "No X." of every 0, in
   the order of the archive's labels. A label that is blank is not spoken of, nor is the one for no finding.
2. IMPRESSION says "X." of every label that is 1, then "Possible X." of every -1.
3. Where no label is 1 or -1, IMPRESSION says "No acute cardiopulmonary abnormality." if the label for no finding is 1,
   and else "No X." of every 0: that a few findings are absent does not make a film normal.
4. A film whose labels are all blank has no text.
"""
NORMAL = "No acute cardiopulmonary abnormality."
_HEADING = re.compile(
    r"^(?:FINDINGS?|OBSERVATIONS|IMPRESSIONS?|CONCLUSIONS?|OPINION|SUMMARY|INTERPRETATION)\s*:\s*", re.IGNORECASE
)


class ReportText(NamedTuple):
    """FINDINGS and IMPRESSION, each in one line; either may be empty."""

    findings: str
    impression: str


def report_text(report: str) -> ReportText:
    """The text of a report on its film: its last FINDINGS and its last IMPRESSION, without any other section.

    Text without a heading is FINDINGS; titles, the patient's history, comparisons and signatures are left out.
    """
    text = body(report)
    return ReportText(*(_HEADING.sub("", last(text, name)).strip() for name in ("findings", "impression")))


def text_of_labels(labels: Mapping[str, int], phrase: Callable[[str], str | None], *, normal: bool) -> ReportText:
    """Sentences made from labels by `RULES_TEXT`.

    Args:
        labels: finding to 1, 0 or -1.
        phrase: a label's words in a report, such as ``pleural effusion``; None for one that is no finding.
        normal: whether the label for no finding is 1.
    """
    words = {name: named for name in labels if (named := phrase(name)) is not None}
    marked = {mark: [named for name, named in words.items() if labels[name] == mark] for mark in (1, -1, 0)}
    possible, absent = [f"Possible {each}." for each in marked[-1]], [f"No {each}." for each in marked[0]]
    findings = [f"There is {each}." for each in marked[1]] + possible + absent
    impression = [f"{each[:1].upper()}{each[1:]}." for each in marked[1]] + possible
    impression = impression or ([NORMAL] if normal else absent)
    return ReportText(" ".join(findings or impression), " ".join(impression))
