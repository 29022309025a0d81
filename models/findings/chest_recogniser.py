"""Recognise typed entities of chest reports with rules: sections, phrases, frames, negation and doubt.

No weights and no network. Negation is `models.findings.negation` (NegEx); a clause that only supposes a finding
makes it ``uncertain``, which counts as stated. negspacy's NegEx on the same spans, on half of OpenI, took 27 absent
pneumothoraces for present where these rules took 2 (`benchmarks/recognisers.py` grades them).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from models.contracts import EntityType
from models.findings.anatomy import places
from models.findings.lexicon import SIDES
from models.findings.negation import asked, cues, denied, doubted, sentences
from models.findings.ontology import Frame, descriptors
from models.findings.phrase_table import PhraseTable, chest_table
from models.findings.sections import BODY, sections
from models.findings.tokens import bag, words

Status = Literal["present", "uncertain", "absent"]
Word = tuple[str, int, int]
REACH = 6
"""Most words between a frame's property and its thing."""
_WRAP = re.compile(r"\n(?=[ \t]*[^\s\d*-])")
"""A line end inside a sentence: neither a blank line nor an item of a list follows."""
_BREAKS = frozenset({"but", "with", "without", "however", "which", "while", "although", "no", "there", "except"})
_VERBS = frozenset({"is", "are", "was", "were", "remain", "appear", "show", "demonstrate"})
_PLACING = frozenset({"on", "in", "at", "of", "within", "over", "along", "involving"})
_NOT = frozenset({"not", "no", "never", "without", "nor"})
GRADES = bag(
    """
    small moderate large mild marked severe mildly moderately markedly severely tiny trace minimal massive
    """
)
_DENIED = {EntityType.ABNORMALITY: EntityType.NON_ABNORMALITY, EntityType.DISEASE: EntityType.NON_DISEASE}


@dataclass(frozen=True, slots=True)
class Span:
    """One entity in a text.

    Args:
        start, end: where it stands; `text` is what stands there.
        concept: the concept, such as ``pleural effusion``; equal to `term` for an open vocabulary.
        term: the normalised name for an entity bank, such as ``loculated pleural effusion``.
        type: one of the five types; a denied abnormality or disease has its negated type.
        status: present, uncertain or absent.
        side, severity: words beside it.
    """

    start: int
    end: int
    text: str
    concept: str
    term: str
    type: EntityType
    status: Status = "present"
    side: str | None = None
    severity: str | None = None


@runtime_checkable
class SpanRecogniser(Protocol):
    """Finds typed entities: one list of spans per text, in the order of the text."""

    def spans(self, texts: Sequence[str]) -> list[list[Span]]: ...


@dataclass(frozen=True, slots=True)
class _Hit:
    """A concept at words ``first:last`` of a sentence; `absent` where its frame denies it."""

    concept: str
    type: EntityType
    first: int
    last: int
    absent: bool = False
    frame: bool = False


class ChestRecogniser:
    """Rules over the vocabulary of `models.findings.ontology` (protocols `SpanRecogniser` and `Recogniser`).

    Args:
        read: the sections that count; None reads everything, a question asked in INDICATION included.
        anatomy: whether places are wanted too.
        doubt: whether a finding that is only supposed counts as present in `recognise`.
        table: the phrases and frames that are matched; None takes those of the vocabulary.
    """

    def __init__(
        self,
        read: Collection[str] | None = BODY,
        anatomy: bool = True,
        doubt: bool = True,
        table: PhraseTable | None = None,
    ) -> None:
        self.read, self.anatomy = None if read is None else frozenset(read), anatomy
        self.stated = frozenset({"present", "uncertain"} if doubt else {"present"})
        self._table = chest_table() if table is None else table

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """Entities per text, in order; spans index the text."""
        return [self._text(text) for text in texts]

    def recognise(self, texts: Sequence[str]) -> list[dict[str, bool]]:
        """Concept to present per text; what is stated once and denied elsewhere counts as present."""
        results = []
        for found in self.spans(texts):
            labels: dict[str, bool] = {}
            for span in found:
                if span.type is not EntityType.ANATOMY:
                    labels[span.concept] = labels.get(span.concept, False) or span.status in self.stated
            results.append(labels)
        return results

    def _text(self, text: str) -> list[Span]:
        found: list[Span] = []
        for part in sections(text):
            if self.read is None or part.name in self.read:
                for offset, sentence in sentences(_WRAP.sub(" ", text[part.start : part.end])):
                    found += self._sentence(text, part.start + offset, sentence)
        return found

    def _sentence(self, text: str, offset: int, sentence: str) -> list[Span]:
        tokens = words(sentence)
        hits = [hit for hit in _hits(tokens, sentence, self._table) if not asked(sentence, tokens[hit.first][1])]
        found_cues = cues(sentence) if hits else []
        spans = [_span(text, offset, sentence, tokens, hit, found_cues) for hit in hits]
        if self.anatomy:
            taken = {at for hit in hits if not hit.frame for at in range(hit.first, hit.last)}
            for name, first, last in places(tokens):
                if taken.isdisjoint(range(first, last)):
                    start, end = offset + tokens[first][1], offset + tokens[last - 1][2]
                    spans.append(Span(start, end, text[start:end], name, name, EntityType.ANATOMY))
        return sorted(spans, key=lambda span: (span.start, span.end))


def _hits(tokens: list[Word], sentence: str, table: PhraseTable) -> list[_Hit]:
    plain = [word for word, _, _ in tokens]
    hits: list[_Hit] = []
    at = 0
    while at < len(plain):
        for size in range(min(table.longest.get(plain[at], 0), len(plain) - at), 0, -1):
            found = table.phrases.get(tuple(plain[at : at + size]))
            if found is not None and not _apart(tokens, at, at + size, sentence):
                hits.append(_Hit(*found, at, at + size))
                at += size - 1
                break
        at += 1
    for at, word in enumerate(plain):
        for frame in table.frames.get(word, ()):
            hit = _framed(frame, at, plain, tokens, sentence)
            if hit is not None and not any(hit.concept == h.concept and h.first <= at < h.last for h in hits):
                # "calcification" is no finding of its own in "calcification of the aorta".
                hits = [h for h in hits if h.frame or h.last - h.first > 1 or h.first not in (hit.first, hit.last - 1)]
                hits.append(hit)
    return hits


def _apart(tokens: list[Word], first: int, last: int, sentence: str) -> bool:
    """Whether a comma or the like stands between the words of a phrase ("effusion, fluid")."""
    return any(mark in sentence[tokens[first][1] : tokens[last - 1][2]] for mark in ",:()")


def _framed(frame: Frame, at: int, plain: list[str], tokens: list[Word], sentence: str) -> _Hit | None:
    """The frame with the thing nearest to its property at word `at`, if one is in reach and in the same clause."""
    best: tuple[int, int, int] | None = None
    for thing in frame.things:
        size = len(thing)
        for first in range(max(0, at - REACH - size), min(len(plain) - size, at + REACH) + 1):
            if first <= at < first + size or tuple(plain[first : first + size]) != thing:
                continue
            gap = at - first - size if first < at else first - at - 1
            if gap <= REACH and (best is None or (gap, -size) < (best[0], -best[2])):
                best = (gap, first, size)
    if best is None:
        return None
    gap, first, size = best
    low, high = (first + size, at) if first < at else (at + 1, first)
    between = plain[low:high]
    start, end = tokens[min(first, at)][1], tokens[max(first + size - 1, at)][2]
    if _broken(between, sentence[start:end], first < at):
        return None
    absent = frame.denies or any(word in _NOT for word in between)
    if frame.denies and any(word in _NOT for word in between):
        return None  # "the heart is not normal" does not state its size
    return _Hit(frame.concept, frame.type, min(first, at), max(first + size, at + 1), absent, True)


def _broken(between: list[str], window: str, thing_first: bool) -> bool:
    if any(mark in window for mark in ",:") or any(word in _BREAKS and word != "no" for word in between):
        return True
    if not thing_first:
        return "and" in between or any(word in _VERBS for word in between)
    verbs = [place for place, word in enumerate(between) if word in _VERBS]
    return bool(verbs) and "and" in between[verbs[0] :]


def _span(
    text: str, offset: int, sentence: str, tokens: list[Word], hit: _Hit, found_cues: list[tuple[str, int, int]]
) -> Span:
    start, end = tokens[hit.first][1], tokens[hit.last - 1][2]
    status: Status = "present"
    if hit.absent or denied(sentence, start, end, found_cues):
        status = "absent"
    elif doubted(sentence, start, end):
        status = "uncertain"
    side, severity, described = _beside(tokens, hit)
    return Span(
        offset + start, offset + end, text[offset + start : offset + end], hit.concept,
        " ".join((*described, hit.concept)), _DENIED.get(hit.type, hit.type) if status == "absent" else hit.type,
        status, side, severity,
    )  # fmt: skip


def _beside(tokens: list[Word], hit: _Hit) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Side, severity and descriptors in the words right before a phrase, and the side in a place right after it."""
    side = severity = None
    described: list[str] = []
    at = hit.first - 1
    while at >= 0 and tokens[at + 1][1] - tokens[at][2] <= 1:
        word = tokens[at][0]
        if word in SIDES:
            side = side or SIDES[word]
        elif word in GRADES:
            severity = severity or word
        elif word in descriptors() and not hit.frame:
            described.insert(0, word)
        elif word not in ("sided", "upper", "lower", "middle", "mid", "lobe", "zone", "lung", "pleural"):
            break
        at -= 1
    return (
        side or _side_after(tokens, hit.last),
        severity,
        tuple(word for word in described if word not in hit.concept.split()),
    )


def _side_after(tokens: list[Word], at: int) -> str | None:
    """The side in "on the left" or "in the right lower lobe" from word `at` on."""
    if at >= len(tokens) or tokens[at][0] not in _PLACING:
        return None
    sides = [word for word, start, _ in tokens[at + 1 : at + 4] if word in SIDES and start - tokens[at][2] < 24]
    return SIDES[sides[0]] if sides else None
