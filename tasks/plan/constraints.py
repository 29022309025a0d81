"""Plausibility: which entities never stand in one report.

Two rules, both cheap enough for a bank of 200,000: entities with the same *concept* (the thing talked
about, without polarity, direction, side and size) never meet, which covers duplicates, contradictions
("effusion" with "no effusion") and opposites ("increased" with "decreased"); and *exclusions* between
findings, a small table with reasons. The paper's bank had such opposites, and its reviewers asked for
exactly this (paper sections 1 and 5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from models.contracts import EntityType
from models.language.content import NEGATION
from models.phantom.bank import Entity
from tasks.plan.errors import PlanError
from tasks.recipe.errors import did_you_mean

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Two findings that are not stated as present together, and why."""

    first: str
    second: str
    reason: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What `plan.constraints` names: how an entity's concept is found, and which findings exclude each other."""

    concept: Callable[[Entity], str]
    exclusions: tuple[Exclusion, ...] = ()


# Saying both of two directions, sides or sizes of one thing is a contradiction, or needs a report that ours is not.
_DIRECTION = (
    "increased increasing increase decreased decreasing decrease enlarged reduced elevated depressed high low normal "
    "abnormal improved improving worsened worsening larger smaller stable unchanged resolved new clear unremarkable"
)
_SIDE = "left right bilateral unilateral left-sided right-sided"
_SIZE = (
    "tiny small moderate large minimal trace mild mildly marked markedly moderately severe severely massive slight "
    "slightly size"
)
_SET_ASIDE = frozenset(f"{_DIRECTION} {_SIDE} {_SIZE} in of".split())


def negated(term: str) -> bool:
    """Whether a term says that something is absent."""
    return NEGATION.match(term) is not None


def concept_of(entity: Entity) -> str:
    """The thing an entity is about: its label, else its term without polarity, direction, side and size."""
    if entity.type is EntityType.ANATOMY:
        return f"anatomy:{entity.term}"
    if entity.label:
        return entity.label
    words = NEGATION.sub("", entity.term).casefold().split()
    # "increased in size" leaves nothing: it speaks of change alone, and so does "decreased in size".
    return " ".join(word for word in words if word not in _SET_ASIDE) or "change alone"


EXCLUSIONS: tuple[Exclusion, ...] = (
    Exclusion("emphysema", "pulmonary edema", "emphysema clears the lungs, edema fills them; one film shows one"),
    Exclusion("emphysema", "cardiomegaly", "hyperinflation stretches the heart into a narrow shadow"),
    Exclusion("emphysema", "hemidiaphragm elevation", "hyperinflation flattens both hemidiaphragms"),
    Exclusion("emphysema", "pulmonary fibrosis", "one enlarges the lungs and one shrinks them"),
    Exclusion("pulmonary fibrosis", "pulmonary edema", "both are diffuse lines; a film cannot tell them apart"),
    Exclusion("hemidiaphragm elevation", "hiatal hernia", "both lift the shadow at the lung base"),
)

RULE_SETS: Mapping[str, RuleSet] = {
    "phantom": RuleSet(concept_of, EXCLUSIONS),
    "generic": RuleSet(concept_of),
    "none": RuleSet(lambda entity: entity.id),
}


def rule_set(name: str) -> RuleSet:
    """The rules that `plan.constraints` names.

    Raises:
        PlanError: unknown name.
    """
    if name not in RULE_SETS:
        near = did_you_mean(name, RULE_SETS)
        raise PlanError(f"plan.constraints: unknown rules {name!r}{near} Known: {', '.join(RULE_SETS)}")
    return RULE_SETS[name]


class ConflictTable:
    """The rules over one bank, compiled to arrays. Entities are numbered; -1 stands for nobody."""

    def __init__(self, entities: Sequence[Entity], rules: RuleSet) -> None:
        self.entities, self.rules = tuple(entities), rules
        concepts = _numbered([rules.concept(entity) for entity in entities])
        # The last item answers for number -1: no concept equals it from the other side, no group excludes it.
        self._concept = np.array([*concepts, -1], dtype=np.int32)
        names = {name: number for number, name in enumerate(_excluded_labels(rules), start=1)}
        groups = [names.get(entity.label or "", 0) if entity.present else 0 for entity in entities]
        self._group = np.array([*groups, 0], dtype=np.int16)
        self._excluded = np.zeros((len(names) + 1, len(names) + 1), dtype=bool)
        for item in rules.exclusions:
            a, b = names[item.first], names[item.second]
            self._excluded[a, b] = self._excluded[b, a] = True

    def conflicts(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Whether the entities numbered `a` (never -1) and `b` may not meet; both broadcast."""
        same = self._concept[a] == self._concept[b]
        if len(self._excluded) == 1:
            return same
        return same | self._excluded[self._group[a], self._group[b]]

    def count_conflicts(self, cards: np.ndarray, others: np.ndarray) -> np.ndarray:
        """With how many of `others` each of `cards` may not meet; (len(cards),) int64."""
        of_concept = np.bincount(self._concept[others], minlength=int(self._concept.max(initial=0)) + 1)
        of_group = np.bincount(self._group[others], minlength=len(self._excluded))
        return of_concept[self._concept[cards]] + (self._excluded @ of_group)[self._group[cards]]

    def reason(self, a: int, b: int) -> str | None:
        """Why two entities may not meet, for people; None where they may."""
        one, two = self.entities[a], self.entities[b]
        if self._concept[a] == self._concept[b]:
            verb = "both speak of" if one.present == two.present else "contradict each other about"
            return f"{one.term!r} and {two.term!r} {verb} {self.rules.concept(one)!r}"
        if not self._excluded[self._group[a], self._group[b]]:
            return None
        pair = {one.label, two.label}
        why = next(item.reason for item in self.rules.exclusions if {item.first, item.second} == pair)
        return f"{one.term!r} and {two.term!r}: {why}"


def _excluded_labels(rules: RuleSet) -> list[str]:
    return sorted({label for item in rules.exclusions for label in (item.first, item.second)})


def _numbered(names: Sequence[Name]) -> list[int]:
    numbers: dict[Name, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]
