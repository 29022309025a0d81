"""Plausibility: which entities never stand in one report.

All rules are cheap enough for a bank of 200,000. Pairs that never meet: entities with the same *concept* (the thing
talked about, without polarity, direction, side and size), which covers duplicates, contradictions ("effusion" with
"no effusion") and opposites ("increased" with "decreased"); *exclusions* between findings, a small table with
reasons; a finding and a place of opposite *sides*; and pairs that a corpus had every chance to show and never did
(`tasks.plan.rules.cooccurrence`). And a *place* must suit the findings of its report (`tasks.plan.rules.places`).
The paper's bank had such opposites, and its reviewers asked for exactly this (paper sections 1 and 5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from models.contracts import Entity, EntityType
from models.findings.mention_text import NEGATION
from tasks.plan.errors import PlanError
from tasks.plan.rules.places import Setting, accommodates, incompatible, known_words, other_side, setting_of
from tasks.recipe.errors import did_you_mean

Name = TypeVar("Name")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Two findings that are not stated as present together, and why."""

    first: str
    second: str
    reason: str


@dataclass(frozen=True, slots=True)
class Traits:
    """The traits of an entity for the rules beside the concept: its label, if an exclusion has it, and its setting."""

    label: str | None
    setting: Setting


NOTHING = Traits(None, Setting())
PAIRED = ("concept", "exclusion", "side", "cooccurrence")
"""The kinds of rules that part two entities whatever else their sample holds, in the order in which they are asked."""

RULES = (*PAIRED, "place")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """What `plan.constraints` names.

    Args:
        concept: the concept of an entity.
        exclusions: findings that exclude each other.
        places: whether findings and places of a report must fit (`tasks.plan.rules.places`).
    """

    concept: Callable[[Entity], str]
    exclusions: tuple[Exclusion, ...] = ()
    places: bool = False

    def traits(self, entity: Entity) -> Traits:
        """The traits of an entity that the rules use."""
        excluded = (
            entity.present
            and entity.label is not None
            and any(entity.label in (item.first, item.second) for item in self.exclusions)
        )
        return Traits(entity.label if excluded else None, setting_of(entity) if self.places else Setting())

    def sign(self, entity: Entity) -> tuple[object, ...]:
        """All of an entity that `traits` depends on; equal signs have equal traits."""
        if not self.places:
            return entity.present, entity.label
        return entity.type, entity.present, entity.label, entity.sides, known_words(entity.term)

    def parts(self, one: Traits, two: Traits) -> tuple[str, str] | None:
        """The kind of rule that keeps two entities apart, with its reason; None where none does."""
        for item in self.exclusions:
            if {one.label, two.label} == {item.first, item.second}:
                return "exclusion", item.reason
        reason = other_side(one.setting, two.setting)
        return ("side", reason) if reason else None


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
    """Whether a term denies something."""
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
    Exclusion("pulmonary fibrosis", "pulmonary edema", "both are diffuse lines; a film cannot distinguish them"),
    Exclusion("hemidiaphragm elevation", "hiatal hernia", "both lift the shadow at the lung base"),
)

RULE_SETS: Mapping[str, RuleSet] = {
    "phantom": RuleSet(concept_of, EXCLUSIONS, places=True),
    "generic": RuleSet(concept_of, places=True),
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
    """The rules over one bank, compiled to arrays. Entities are numbered; -1 stands for none.

    Args:
        entities: the bank.
        rules: the curated rules.
        never: pairs of entity numbers that a corpus never shows together (`tasks.plan.rules.cooccurrence`).
    """

    def __init__(self, entities: Sequence[Entity], rules: RuleSet, never: np.ndarray | None = None) -> None:
        self.entities, self.rules = tuple(entities), rules
        concepts = _numbered([rules.concept(entity) for entity in entities])
        # The last item answers for number -1: no concept equals it from the other side, no group excludes it.
        self._concept = np.array([*concepts, -1], dtype=np.int32)
        self._group, groups = self._grouped()
        parted = [[rules.parts(one, two) for two in groups] for one in groups]
        self._rule = np.array(
            [[PAIRED.index(found[0]) + 1 if found else 0 for found in row] for row in parted], np.int8
        )
        self._incompatible = np.array(
            [[incompatible(one.setting, two.setting) is not None for two in groups] for one in groups]
        )
        self._accommodates = np.array([[accommodates(one.setting, two.setting) for two in groups] for one in groups])
        self.has_incompatible = bool(self._incompatible.any())
        pairs = np.empty((0, 2), dtype=np.int64) if never is None else np.sort(never.astype(np.int64), axis=1)
        self._never = np.unique(pairs[:, 0] * len(entities) + pairs[:, 1])

    def concepts(self, numbers: Sequence[int] | np.ndarray) -> np.ndarray:
        """The number of the concept of each entity; int32."""
        return self._concept[np.asarray(numbers)]

    def conflicts(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Whether the entities numbered `a` (never -1) and `b` may not meet; both broadcast."""
        found = self._concept[a] == self._concept[b]
        if len(self._rule) > 1:
            found = found | (self._rule[self._group[a], self._group[b]] > 0)
        return found | self._unseen(a, b) if len(self._never) else found

    def broken(self, a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
        """For each kind of rule in `PAIRED` whether it is the first that parts `a` and `b`; as `conflicts`."""
        code = np.where(self._concept[a] == self._concept[b], 1, self._rule[self._group[a], self._group[b]])
        code = np.where((code == 0) & self._unseen(a, b), len(PAIRED), code)
        return {name: code == number for number, name in enumerate(PAIRED, start=1)}

    def unplaceable(self, places: np.ndarray, co_occurring: np.ndarray) -> np.ndarray:
        """Whether a place has a finding beside it that cannot lie there, and none that does.

        Args:
            places: (...) entity numbers, never -1.
            co_occurring: (..., columns) what shares a sample with each, -1 for none.
        """
        place, others = self._group[places][..., None], self._group[co_occurring]
        return np.asarray(
            self._incompatible[place, others].any(axis=-1) & ~self._accommodates[place, others].any(axis=-1)
        )

    def incompatible(self, place: int, others: np.ndarray) -> np.ndarray:
        """Which of `others` are findings that cannot lie in a place."""
        return self._incompatible[self._group[place], self._group[others]]

    def accommodates(self, place: int, others: np.ndarray) -> np.ndarray:
        """Which of `others` have their place there, so that no other finding needs to go there."""
        return self._accommodates[self._group[place], self._group[others]]

    def classes(self, numbers: np.ndarray) -> np.ndarray:
        """A class for each entity of the bank; entities of one class meet the same ones among `numbers`; int64."""
        concept, every, groups = self._concept[:-1].astype(np.int64), len(self.entities), len(self._rule)
        held = np.bincount(concept[numbers], minlength=every)
        classes = np.where(held[concept] > 1, concept + 1, 0) * groups + self._group[:-1]
        parted = np.union1d(*np.divmod(self._never, every))
        classes[parted] = (every + 1) * groups + parted
        return classes

    def count_conflicts(self, cards: np.ndarray, others: np.ndarray) -> np.ndarray:
        """With how many of `others` each of `cards` may not meet; (len(cards),) int64.

        A pair that two rules part counts once, but for pairs that a corpus never shows.
        """
        of_concept = np.bincount(self._concept[others], minlength=int(self._concept.max(initial=0)) + 1)
        of_group = np.bincount(self._group[others], minlength=len(self._rule))
        found = of_concept[self._concept[cards]] + ((self._rule > 0) @ of_group)[self._group[cards]]
        if len(self._never):
            low, high = np.divmod(self._never, len(self.entities))
            held = np.bincount(others, minlength=len(self.entities))
            unseen = np.bincount(low, held[high], len(self.entities)) + np.bincount(
                high, held[low], len(self.entities)
            )
            found = found + unseen.astype(np.int64)[cards]
        return found

    def reason(self, a: int, b: int) -> str | None:
        """Why two entities may not meet, for people; None where they may."""
        one, two = self.entities[a], self.entities[b]
        if self._concept[a] == self._concept[b]:
            verb = "both speak of" if one.present == two.present else "contradict each other about"
            return f"{one.term!r} and {two.term!r} {verb} {self.rules.concept(one)!r}"
        parted = self.rules.parts(self.rules.traits(one), self.rules.traits(two))
        if parted:
            return f"{one.term!r} and {two.term!r}: {parted[1]}"
        if self._incompatible[self._group[a], self._group[b]] or self._incompatible[self._group[b], self._group[a]]:
            place, finding = (one, two) if self._incompatible[self._group[a], self._group[b]] else (two, one)
            why = incompatible(self.rules.traits(place).setting, self.rules.traits(finding).setting)
            return f"{finding.term!r} and {place.term!r}: {why}, unless the report has another finding there"
        if self._unseen(np.asarray(a), np.asarray(b)):
            return f"{one.term!r} and {two.term!r}: the corpus of plan.cooccurrence never has both in one report"
        return None

    def _unseen(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        a, b = np.broadcast_arrays(a, b)
        codes = np.minimum(a, b).astype(np.int64) * len(self.entities) + np.maximum(a, b)
        if not len(self._never):
            return np.zeros(codes.shape, dtype=bool)
        at = np.searchsorted(self._never, codes).clip(max=len(self._never) - 1)
        return np.asarray(self._never[at] == codes)

    def _grouped(self) -> tuple[np.ndarray, list[Traits]]:
        """The group of each entity and of none (0), and the traits of each group."""
        groups: dict[Traits, int] = {NOTHING: 0}
        known: dict[tuple[object, ...], int] = {}
        numbers = []
        for entity in self.entities:
            sign = self.rules.sign(entity)
            if sign not in known:
                known[sign] = groups.setdefault(self.rules.traits(entity), len(groups))
            numbers.append(known[sign])
        return np.array([*numbers, 0], dtype=np.int32), list(groups)


def _numbered(names: Sequence[Name]) -> list[int]:
    numbers: dict[Name, int] = {}
    return [numbers.setdefault(name, len(numbers)) for name in names]
