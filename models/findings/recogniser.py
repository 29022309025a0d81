"""Recognise the phantom's findings in report text with rules: no weights, no network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.findings.lexicon import NORMALS, PHANTOM, SEVERITIES, SIDES, SYNONYMS, ZONES
from models.findings.negation import cues, denied, sentences

_SEVERITIES_OF = {label.name: label.severities for label in PHANTOM.labels}
_NUMBER = {name: number for number, name in enumerate(PHANTOM.names)}
_GROUPS = {f"p{_NUMBER[name]}": name for name in SYNONYMS} | {f"n{_NUMBER[name]}": name for name in NORMALS}
_FINDINGS = re.compile(
    r"\b(?:"
    + "|".join(
        f"(?P<{group}>{'|'.join((NORMALS if group[0] == 'n' else SYNONYMS)[label])})"
        for group, label in sorted(_GROUPS.items())
    )
    + r")\b"
)


def _words(words: Sequence[str]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")\b")


_SIDE, _ZONE, _SEVERITY = _words(list(SIDES)), _words(list(ZONES)), _words(SEVERITIES)
_BEFORE = re.compile(r".*(?:\b(?:is|are|shows?|with|without|and|or|of|no|for|seen|has|have)\b|[,:])")
_AFTER = re.compile(r"\s*,?\s*(?:seen |noted |present )?(?:in|at|on|of|within|over|involving|along)\b[^,.:]*")
_AFTER_END = re.compile(r"\b(?:and|or|with|without|is|are|but|sparing)\b")


@dataclass(frozen=True, slots=True)
class Found:
    """One finding named in a text, with the attributes stated beside it; `start` and `end` index the text."""

    label: str
    present: bool
    side: str | None
    zone: str | None
    severity: str | None
    start: int
    end: int


def mentions(text: str) -> list[Found]:
    """Every finding named in `text`, in order, with its polarity, side, zone and severity."""
    results: list[Found] = []
    for offset, sentence in sentences(text):
        matches = list(_FINDINGS.finditer(sentence))
        if not matches:
            continue
        found_cues = cues(sentence)
        for position, match in enumerate(matches):
            left = matches[position - 1].end() if position else 0
            right = matches[position + 1].start() if position + 1 < len(matches) else len(sentence)
            group = match.lastgroup or ""
            label = _GROUPS[group]
            present = group[0] == "p" and not denied(sentence, match.start(), match.end(), found_cues)
            beside = _beside(sentence, left, match.start(), match.end(), right)
            results.append(
                Found(
                    label,
                    present,
                    _side(beside),
                    _zone(beside),
                    _severity(beside, label),
                    offset + match.start(),
                    offset + match.end(),
                )
            )
    return results


def polarities(text: str, phrase: str) -> list[bool]:
    """Present (True) or denied (False) for every place where `phrase` stands in `text` as whole words."""
    words = phrase.lower().split()
    if not words:
        return []
    pattern = re.compile(r"(?<!\w)" + r"\s+".join(map(re.escape, words)) + r"(?!\w)")
    lower = text.lower()
    spans = [(match.start(), match.end()) for match in pattern.finditer(lower)]
    results = []
    parts = sentences(text)
    for start, end in spans:
        begin, sentence = next(((b, s) for b, s in reversed(parts) if b <= start), (0, lower))
        # A phrase may hold a full stop of its own ("approx. 2 cm"): the sentence it starts in decides.
        results.append(not denied(sentence, start - begin, min(end - begin, len(sentence))))
    return results


def _beside(sentence: str, left: int, start: int, end: int, right: int) -> str:
    before = _BEFORE.sub("", sentence[left:start])
    after = _AFTER.match(sentence, end, right)
    tail = after.group() if after else ""
    cut = _AFTER_END.search(tail, 4)
    return f"{before} {sentence[start:end]} {tail[: cut.start()] if cut else tail}"


def _side(beside: str) -> str | None:
    sides = {SIDES[match.group()] for match in _SIDE.finditer(beside)}
    return sides.pop() if len(sides) == 1 else "bilateral" if sides else None


def _zone(beside: str) -> str | None:
    match = _ZONE.search(beside)
    return ZONES[match.group()] if match else None


def _severity(beside: str, label: str) -> str | None:
    match = _SEVERITY.search(beside)
    if match is None:
        return None
    word, known = match.group(), _SEVERITIES_OF[label]
    other = word.removesuffix("ly") if word.endswith("ly") else f"{word}ly"
    return word if word in known else other if other in known else None
