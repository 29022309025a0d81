"""Concepts of chest radiology: how reports name them, their types, and which is a kind of which.

The data is ``tables/concepts.yaml``. A *phrase* stands word by word. A *frame* is a property and the thing it is said
of, near each other in one clause and in either order: "enlarged heart", "the heart is mildly enlarged".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from models.contracts import EntityType
from models.findings.table_files import shipped
from models.findings.tokens import key

Phrase = tuple[str, ...]
FINDING_TYPES = (EntityType.ABNORMALITY, EntityType.DISEASE)
"""The types of what a film may show and a normal one does not; a device is neither."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One finding, device or place that reports name.

    Args:
        name: as the tables of label sets name it.
        type: when it is there.
        phrases: how reports name it; none for a concept that only gathers others.
        is_a: concepts that are stated with it.
        sign_of: findings that it may be said of, as their sign or cause.
        chronic: whether "no acute abnormality" leaves it open.
    """

    name: str
    type: EntityType
    phrases: tuple[str, ...]
    is_a: tuple[str, ...] = ()
    sign_of: frozenset[str] = frozenset()
    chronic: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """A concept said by a property of a thing; `denies` where the property is the normal one."""

    concept: str
    type: EntityType
    properties: frozenset[str]
    things: tuple[Phrase, ...]
    denies: bool = False


@cache
def _table() -> dict[str, Any]:
    return shipped("concepts")


@cache
def concepts() -> Mapping[str, Concept]:
    """Every concept by name, in the table's order."""
    found = {}
    for row in _table()["concepts"]:
        kinds, signs = row.get("is_a", ()), row.get("sign_of", ())
        kind, chronic = EntityType(row["type"]), row.get("chronic") == "true"
        found[row["name"]] = Concept(row["name"], kind, tuple(row["phrases"]), tuple(kinds), frozenset(signs), chronic)
    return found


@cache
def frames() -> tuple[Frame, ...]:
    """Every frame, in the table's order."""
    return tuple(
        Frame(
            row["concept"],
            concepts()[row["concept"]].type,
            frozenset(row["properties"]),
            tuple(tuple(thing.split()) for thing in row["things"]),
            row.get("denies") == "true",
        )
        for row in _table()["frames"]
    )


@cache
def descriptors() -> frozenset[str]:
    """Words before a concept that make a term of its own ("streaky atelectasis"), unlike side, zone and severity."""
    return frozenset(_table()["descriptors"])


@cache
def phrases() -> Mapping[Phrase, tuple[str, EntityType]]:
    """Every phrase, as its words in the singular, with its concept and type."""
    table: dict[Phrase, tuple[str, EntityType]] = {}
    for concept in concepts().values():
        for phrase in concept.phrases:
            table.setdefault(key(phrase), (concept.name, concept.type))
    return table


@cache
def ancestors(name: str) -> frozenset[str]:
    """Every concept that `name` is a kind of, at any distance; not itself."""
    direct = concepts()[name].is_a
    return frozenset(direct).union(*(ancestors(parent) for parent in direct))


def kinds_of(names: Iterable[str]) -> frozenset[str]:
    """`names` and every concept that is a kind of one of them."""
    wanted = frozenset(names)
    return wanted | {name for name in concepts() if ancestors(name) & wanted}


@cache
def recognised_findings() -> frozenset[str]:
    """The abnormalities and diseases that are seen in a text."""
    said = [concept for concept, kind in phrases().values() if kind in FINDING_TYPES]
    return frozenset([*said, *(frame.concept for frame in frames() if frame.type in FINDING_TYPES)])
