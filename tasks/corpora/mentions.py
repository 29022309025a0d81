"""Make an entity bank of a corpus: recognise, normalise, drop junk, merge and count.

The paper's bank (177,049 unique entities of RaTE-NER, section 1) was long-tailed and had plurals, sides and typing
slips as entities of their own. Here they are one entity, with its sides and severities as attributes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from models.contracts import EntityType
from models.findings.anatomy import ABBREVIATIONS
from models.findings.chest_recogniser import Span, SpanRecogniser
from models.findings.label_finder import LabelFinder, finder_of
from models.findings.label_sets import LabelSet
from models.findings.lexicon import PHANTOM, SEVERITIES
from models.findings.mention_text import NEGATION
from models.findings.ontology import phrases
from models.findings.tokens import bag, key
from tasks.corpora.reports import Report

BATCH = 256
LONGEST, MOST_WORDS = 80, 8
_SHORT = {**ABBREVIATIONS, "pna": "pneumonia", "chf": "heart failure", "cabg": "bypass graft", "picc": "picc"}
_SIDES = {"left": "left", "right": "right", "bilateral": "bilateral", "bilaterally": "bilateral", "sided": ""}
_EMPTY = bag("a an the of in on at with and or to is are was were there this that no not any other both")
_NORMAL = frozenset(
    {"normal", "clear", "unremarkable", "intact", "stable", "unchanged", "midline", "well", "sharp", "limit", "within"}
)
_GRADES = frozenset(SEVERITIES)
_NEGATED = (EntityType.NON_ABNORMALITY, EntityType.NON_DISEASE)
_TABLE = phrases()
_CONCEPTS = frozenset(concept for concept, _ in _TABLE.values())


@dataclass(slots=True)
class Mined:
    """One entity of a corpus: its label, number of mentions and of reports, and the attributes beside it."""

    type: EntityType
    term: str
    present: bool
    label: str | None
    count: int = 0
    reports: int = 0
    sides: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Bank:
    """Entities by falling count, then by type and term; `junk` counts what was dropped, by why."""

    entities: tuple[Mined, ...]
    reports: int
    mentions: int
    junk: dict[str, int]


def mine(reports: Iterable[Report], recogniser: SpanRecogniser, least: int = 1, label_set: LabelSet = PHANTOM) -> Bank:
    """Every entity that `recogniser` finds in `reports`, at least `least` times.

    Args:
        reports: the corpus; it is read once, in batches.
        recogniser: finds typed spans.
        least: entities with fewer mentions are left out, as junk ``rare``.
        label_set: the findings that the entities' labels are of.
    """
    finder = finder_of(label_set)
    entities: dict[tuple[EntityType, str], Mined] = {}
    junk: Counter[str] = Counter()
    number = mentions = 0
    for batch in _batches(reports):
        number += len(batch)
        for found in recogniser.spans([report.text for report in batch]):
            seen: set[tuple[EntityType, str]] = set()
            for span in found:
                mentions += 1
                term, sides, severities = normalise(span)
                why = is_junk(term)
                if why:
                    junk[why] += 1
                    continue
                entity = _entity(entities, span, term, finder)
                entity.count += 1
                entity.sides.update(sides)
                entity.severities.update(severities)
                if (span.type, entity.term) not in seen:
                    seen.add((span.type, entity.term))
                    entity.reports += 1
    kept = [entity for entity in entities.values() if entity.count >= least]
    if len(kept) < len(entities):
        junk["rare"] = len(entities) - len(kept)
    kept.sort(key=lambda entity: (-entity.count, entity.type.value, entity.term))
    return Bank(tuple(kept), number, mentions, dict(junk))


def normalise(span: Span) -> tuple[str, list[str], list[str]]:
    """The span's term in the singular, abbreviations written out, sides and severities set aside.

    A place keeps its side: the left lung base is not the right one.
    """
    if span.concept in _CONCEPTS:  # the rules' terms are normalised already
        return span.term, [side for side in (span.side,) if side], [grade for grade in (span.severity,) if grade]
    words: list[str] = []
    for word in key(NEGATION.sub("", span.term)):
        words += _SHORT.get(word, word).split()
    if span.type is EntityType.ANATOMY:
        return " ".join(word for word in words if word not in ("the", "a", "of", "sided")), [], []
    sides = [side for side in (span.side, *(_SIDES.get(word) for word in words)) if side]
    severities = [grade for grade in (span.severity, *(word for word in words if word in _GRADES)) if grade]
    plain = [word for word in words if word not in _SIDES and word not in _GRADES]
    while plain and plain[0] in _EMPTY:
        plain = plain[1:]
    known = _TABLE.get(tuple(plain))
    return known[0] if known else " ".join(plain), list(dict.fromkeys(sides)), list(dict.fromkeys(severities))


def is_junk(term: str) -> str:
    """Why a term is no entity; empty where it is one."""
    words = term.split()
    if not any(character.isalpha() for character in term):
        return "no letter"
    if re.search(r"\bx{3,}\b|__", term):
        return "de-identification mark"
    if len(term) > LONGEST or len(words) > MOST_WORDS:
        return "too long"
    if len(term) < 3 and term not in _SHORT:
        return "too short"
    return "only filler" if all(word in _EMPTY or word.isdigit() for word in words) else ""


def _entity(entities: dict[tuple[EntityType, str], Mined], span: Span, term: str, finder: LabelFinder) -> Mined:
    denied = span.type in _NEGATED and span.status == "absent" and not _NORMAL & set(term.split())
    name = f"no {term}" if denied else term
    if (span.type, name) not in entities:
        labels = (finder.label_of(concept, not denied) for concept in (span.concept, term))
        label = next((label for label in labels if label is not None), None)
        entities[span.type, name] = Mined(span.type, name, not denied, label)
    return entities[span.type, name]


def _batches(reports: Iterable[Report]) -> Iterator[list[Report]]:
    stream = iter(reports)
    while batch := list(islice(stream, BATCH)):
        yield batch
