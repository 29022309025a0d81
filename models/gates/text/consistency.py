"""Whether FINDINGS and IMPRESSION agree: polarity, side and severity by label, and a normal end of a report."""

from __future__ import annotations

import re
from collections.abc import Iterable

from models.findings.ontology import concepts
from models.findings.recogniser import Found
from models.gates.text.vocabulary import PhantomVocabulary, Vocabulary

_NORMAL = re.compile(
    r"\bno (?:evidence of )?(?P<acute>acute )?(?:cardiopulmonary |intrathoracic |cardiothoracic )?"
    r"(?:abnormalit(?:y|ies)|process|disease|findings?)\b(?! in)"
    r"|\b(?:normal|unremarkable) (?:chest|exam|study|radiograph)"
)
_PHANTOM = PhantomVocabulary()


def clashes(findings: str, impression: str, vocabulary: Vocabulary = _PHANTOM) -> list[str]:
    """Contradictions between the two sections, or inside one of them; each as a sentence.

    Args:
        findings, impression: the sections.
        vocabulary: the findings that are compared.
    """
    first, last = vocabulary.find(findings), vocabulary.find(impression)
    polarity: dict[str, set[bool]] = {}
    for found in (*first, *last):
        polarity.setdefault(found.label, set()).add(found.present)
    problems = [f"{label!r} is both stated and denied" for label, values in polarity.items() if len(values) == 2]
    problems += _attributes(first, last)
    return problems + _normal(first, last, impression, vocabulary.devices)


def _attributes(first: list[Found], last: list[Found]) -> list[str]:
    problems = []
    for label in dict.fromkeys(found.label for found in last if found.present):
        for name, values in (("side", _sides), ("severity", _severities)):
            said, summed = values(first, label), values(last, label)
            if said and summed - said:
                words = " and ".join(sorted(summed - said))
                problems.append(f"{label!r} is {words} in IMPRESSION, another {name} than in FINDINGS")
    return problems


def _sides(found: Iterable[Found], label: str) -> set[str]:
    sides = {item.side for item in found if item.label == label and item.present and item.side}
    return sides - {"bilateral"} | ({"left", "right"} if "bilateral" in sides else set())


def _severities(found: Iterable[Found], label: str) -> set[str]:
    return {item.severity for item in found if item.label == label and item.present and item.severity}


def _normal(first: list[Found], last: list[Found], impression: str, devices: frozenset[str]) -> list[str]:
    """A normal IMPRESSION that names nothing, after FINDINGS with something that is not normal."""
    normal = _NORMAL.search(impression.lower())
    if normal is None or any(found.present for found in last):
        return []
    there = {found.label for found in first if found.present and found.label not in devices}
    if normal.group("acute"):
        there = {label for label in there if not (label in concepts() and concepts()[label].chronic)}
    return [f"IMPRESSION is normal, but FINDINGS state {', '.join(sorted(there))}"] if there else []
