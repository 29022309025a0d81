"""Gates on the text alone: repeated words, refusals and leaked prompts, marks of patients, and length."""

from __future__ import annotations

import re
from collections.abc import Sequence

from models.contracts import Candidate, GateScore
from models.language.marks import chat_marks, control_characters
from models.language.prompts import LEAKS
from models.typed import Count

RULES = "rules/1"
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am) (?:sorry|unable|not able|an ai)|i (?:cannot|can't|can not|apologi[sz]e|do not have)|as an ai\b"
    r"|(?:large )?language model|(?:cannot|unable to) (?:provide|generate|assist|comply|fulfil)"
    r"|(?:consult|seek) (?:a|your|medical) |medical advice"
    r"|here(?:'s| is| are) (?:the|a|your)|^sure\b|certainly[,!]|of course[,!]|as requested"
    r"|ignore (?:the|all) (?:above|previous)|note that this (?:is|report)|\[insert|lorem ipsum)",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"```|<\|\w*\|?>?|\[/?INST\]|</?s>|#{2,}|\*\*|\b(?:system|user|assistant)\s*:|\{\{?\w+\}?\}", re.IGNORECASE
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec)[a-z]*\.?"
LINTS: dict[str, re.Pattern[str]] = {
    "de-identification mark": re.compile(r"_{2,}|\bX{3,}\b|\[\*\*.*?\*\*\]|<(?:NAME|DATE|LOCATION|ID)>|\bREDACTED\b"),
    "date": re.compile(
        rf"\b\d{{1,2}}[/.-]\d{{1,2}}[/.-](?:\d{{4}}|\d{{2}})\b|\b\d{{4}}[/-]\d{{1,2}}[/-]\d{{1,2}}\b"
        rf"|\b{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{2,4}}\b|\b\d{{1,2}} {_MONTH},? \d{{4}}\b"
        rf"|\b(?:in|since|from|on|of) (?:{_MONTH} )?(?:19|20)\d\d\b",
        re.IGNORECASE,
    ),
    "time": re.compile(r"\b\d{1,2}:\d\d(?:\s*[ap]\.?m\b)?|\b\d{1,2}\s*[ap]\.?m\b", re.IGNORECASE),
    "phone number": re.compile(
        r"(?<![\d.])(?:\+?\d{1,3}[\s.-])?\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}\b|\bext\.? ?\d{2,5}\b"
    ),
    "address": re.compile(r"\b\S+@\S+\.\w+|\bhttps?://|\bwww\."),
    "name": re.compile(
        r"\b(?:Drs?|Mr|Mrs|Ms|Miss|Prof|Professor|Doctor)\.? [A-Z][\w'-]+|\b[A-Z][\w'-]+,? (?:MD|M\.D\.|RN|PhD)\b"
        r"|\b(?:[Dd]ictated|[Ss]igned|[Dd]iscussed|[Rr]eviewed|[Rr]eported) (?:by|with) [A-Z][a-z]+"
        r"|\b[Pp]atient [A-Z][a-z]+\b"
    ),
    "number of a person or study": re.compile(
        r"\b(?:MRN|DOB|SSN|accession|acc)\b[\s#:.]*\w*\d|\b\d{6,}\b", re.IGNORECASE
    ),
    "age": re.compile(r"\b\d{1,3}[- ](?:year|yr|month|week|day)s?[- ]old\b|\b\d{1,3} ?y/?o\b", re.IGNORECASE),
}
"""Patterns of personal data: a generator trained on reports with them may memorise patients (paper section 5)."""


class Repetition:
    """Share of the runs of `ngram` words that are new: 1.0 where none stands twice in a section.

    Args:
        ngram: words in a run.
    """

    name: str = "repetition"

    def __init__(self, ngram: Count = 5) -> None:
        self.ngram = ngram

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in (0, 1], the lower of the two sections."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        worst, reason = 1.0, ""
        for name, text in _sections(candidate):
            words = re.findall(r"\w+", text.lower())
            runs = [tuple(words[at : at + self.ngram]) for at in range(len(words) - self.ngram + 1)]
            share = len(set(runs)) / len(runs) if runs else 1.0
            if share < worst:
                again = next(run for number, run in enumerate(runs) if run in runs[:number])
                worst, reason = share, f"{name} says {' '.join(again)!r} {runs.count(again)} times"
        return GateScore(self.name, worst, reason, RULES)


class Leakage:
    """1.0 when no refusal, chatter, markup or word of the prompt stands in the text; every one divides the score.

    A word that was asked for is no leak, but for marks of a chat and control characters: no entity may hold these.
    """

    name: str = "leakage"

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in (0, 1]: 1 / (1 + problems)."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        asked = " ".join(mention.phrase.lower() for mention in candidate.mentions)
        problems = []
        for name, text in _sections(candidate):
            found = [match.group().strip() for shape in (_REFUSAL, _MARKUP) for match in shape.finditer(text)]
            found += [words for words in LEAKS if words in text.lower()]
            found = [words for words in found if words.lower() not in asked]
            found += [*chat_marks(text), *control_characters(text)]
            problems += [f"{name} holds {words!r}" for words in dict.fromkeys(found)]
        return GateScore(self.name, 1.0 / (1 + len(problems)), "; ".join(problems), RULES)


class Lint:
    """1.0 when nothing points at a person: marks, dates, times, phones, names, numbers, ages (`LINTS`).

    Args:
        allow: kinds of `LINTS` that may stand.

    Raises:
        ValueError: an unknown kind is allowed.
    """

    name: str = "lint"

    def __init__(self, allow: Sequence[str] = ()) -> None:
        unknown = sorted(set(allow) - LINTS.keys())
        if unknown:
            raise ValueError(f"gate lint: allow has {unknown}; known: {', '.join(LINTS)}")
        self.shapes = {kind: shape for kind, shape in LINTS.items() if kind not in allow}

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in (0, 1]: 1 / (1 + problems)."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        problems = [
            f"{name} holds a {kind}: {match.group()!r}"
            for name, text in _sections(candidate)
            for kind, shape in self.shapes.items()
            for match in shape.finditer(text)
        ]
        return GateScore(self.name, 1.0 / (1 + len(problems)), "; ".join(problems), RULES)


class Length:
    """1.0 while both sections have a sane number of words; outside, how far off, as a ratio.

    Args:
        findings: fewest and most words of FINDINGS.
        impression: fewest and most words of IMPRESSION.

    Raises:
        ValueError: a fewest is above its most, or below 1.
    """

    name: str = "length"

    def __init__(self, findings: Sequence[int] = (5, 250), impression: Sequence[int] = (1, 80)) -> None:
        self.bounds = {"FINDINGS": tuple(findings), "IMPRESSION": tuple(impression)}
        for name, bounds in self.bounds.items():
            if len(bounds) != 2 or not 1 <= bounds[0] <= bounds[1]:
                raise ValueError(f"gate length: {name.lower()} is {list(bounds)}, [fewest, most] words are needed")

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        """Scores in [0, 1]."""
        return [self._one(candidate) for candidate in batch]

    def _one(self, candidate: Candidate) -> GateScore:
        worst, reason = 1.0, ""
        for name, text in _sections(candidate):
            low, high = self.bounds[name]
            count = len(text.split())
            share = min(1.0, count / low, high / count if count else 0.0)
            if share < worst:
                worst, reason = share, f"{name} has {count} words, {low} to {high} are allowed"
        return GateScore(self.name, worst, reason, RULES)


def _sections(candidate: Candidate) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("FINDINGS", candidate.findings), ("IMPRESSION", candidate.impression)
