"""Labels of one set as labels of another, by what they mean.

A label is there where at least one of its concepts is (`models.findings.ontology`). From that follow all rules:

1. *Same* meaning: 1, 0 and -1 (uncertain) carry over.
2. A *narrower* label (a kind of the other's) implies the broader one: 1 gives 1, and -1 gives -1. Its 0 implies none,
   unless labels that are 0 make up the broader one together.
3. A *broader* label that is 0 denies the narrower ones, unless the same film has one of its kinds: then its labeller
   did not mean it so. Its 1 and -1 imply nothing, since another kind may be there.
4. ``No Finding`` at 1 stands for 0 of every finding of its set, devices aside. It is given where every finding of the
   other set is known to be absent (1) or one is there (0).
5. A label without a counterpart, a remark and a blank give nothing: absent labels stay absent.

Where labels of one film imply different values of a finding, the strongest counts: 1 before 0 before -1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from models.findings.label_sets import Label, LabelSet, load
from models.findings.ontology import kinds_of

PRESENT, ABSENT, UNCERTAIN = 1, 0, -1


class Relation(StrEnum):
    """What a label is to a label of another set."""

    SAME = "same"
    NARROWER = "narrower"
    BROADER = "broader"


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A label of another set that a label has to do with; `relation` is of this label to that one."""

    label: str
    relation: Relation


def map_labels(labels: Mapping[str, int], source: LabelSet | str, target: LabelSet | str) -> dict[str, int]:
    """The labels of a film in one set, as labels of another.

    Args:
        labels: 1, 0 or -1 by name, or by an alias; what is blank is left out.
        source: the set, or its name, that they are of.
        target: the set that they are wanted in.

    Returns:
        1, 0 or -1 by name, in the order of `target`; what does not follow is left out.

    Raises:
        UnknownLabels: labels that `source` does not have.
        ValueError: a value is none of 1, 0 and -1.
    """
    one, two = _set(source), _set(target)
    one.check(labels)
    wrong = {name: value for name, value in labels.items() if value not in (PRESENT, ABSENT, UNCERTAIN)}
    if wrong:
        name, value = next(iter(wrong.items()))
        raise ValueError(f"label {name!r} is {value!r}: a label is 1, 0 or -1 for uncertain")
    table = _table(one, two)
    said = _said(labels, one)
    there = {table.source[name] for name, value in said.items() if value == PRESENT}
    denied = [
        table.source[name]
        for name, value in said.items()
        if value == ABSENT and not any(meant <= table.source[name] for meant in there)
    ]
    nothing = frozenset[str]().union(*denied)
    found: dict[str, int] = {}
    for name, meant in table.target.items():
        implied = {value for own, value in said.items() if value and table.source[own] <= meant}
        if PRESENT in implied:
            found[name] = PRESENT
        elif meant <= nothing:
            found[name] = ABSENT
        elif UNCERTAIN in implied:
            found[name] = UNCERTAIN
    return found | _no_finding(found, two)


def counterparts(source: LabelSet | str, target: LabelSet | str) -> dict[str, tuple[Counterpart, ...]]:
    """For every label of `source` the labels of `target` that it has to do with; empty where it has no counterpart."""
    table = _table(_set(source), _set(target))
    return {
        name: tuple(
            Counterpart(other, relation)
            for other, there in table.target.items()
            if (relation := _relation(meant, there)) is not None
        )
        for name, meant in table.source.items()
    }


@dataclass(frozen=True, slots=True)
class _Meanings:
    """The concepts of every label of two sets, with all kinds of them."""

    source: Mapping[str, frozenset[str]]
    target: Mapping[str, frozenset[str]]


@lru_cache(maxsize=64)
def _table(source: LabelSet, target: LabelSet) -> _Meanings:
    own = {_own(label, name): label.kind_of for name, found in _named(source, target) for label in found.labels}
    meanings = [
        {label.name: _meant(label, name, own) for label in found.labels} for name, found in _named(source, target)
    ]
    return _Meanings(*meanings)


def _named(source: LabelSet, target: LabelSet) -> tuple[tuple[str, LabelSet], tuple[str, LabelSet]]:
    """Both sets with a name for each; one set has one name, so that it maps onto itself."""
    return ("source", source), ("source" if source is target else "target", target)


def _own(label: Label, of: str) -> str:
    """The name of what a label means beside all concepts."""
    return f"{of}/{label.name}"


def _meant(label: Label, of: str, own: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    if not label.means:
        return frozenset({_own(label, of)})
    concepts = kinds_of(label.means)
    return concepts | {name for name, kinds in own.items() if concepts & frozenset(kinds)}


def _relation(one: frozenset[str], two: frozenset[str]) -> Relation | None:
    if one == two:
        return Relation.SAME
    if one <= two:
        return Relation.NARROWER
    return Relation.BROADER if one >= two else None


def _said(labels: Mapping[str, int], source: LabelSet) -> dict[str, int]:
    """The values of a film's labels by the names of their findings."""
    said: dict[str, int] = {}
    for name, value in labels.items():
        label = source.find(name)
        if label is not None:
            said[label.name] = value
    if any(value == PRESENT and source.is_no_finding(name) for name, value in labels.items()):
        for label in source.labels:
            if not label.device:
                said.setdefault(label.name, ABSENT)
    return said


def _no_finding(found: Mapping[str, int], target: LabelSet) -> dict[str, int]:
    if target.no_finding is None:
        return {}
    values = [found.get(label.name) for label in target.labels if not label.device]
    if PRESENT in values:
        return {target.no_finding: ABSENT}
    return {target.no_finding: PRESENT} if set(values) == {ABSENT} else {}


def _set(name: LabelSet | str) -> LabelSet:
    return load(name) if isinstance(name, str) else name
