"""The phantom's vocabulary as an entity bank: what the planner deals from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from models.contracts import EntityType
from models.phantom.vocabulary import KINDS, SIDES, ZONES

COMMON_NEGATIONS = ("pleural effusion", "consolidation", "atelectasis", "lung nodule", "hilar enlargement")


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity of a bank.

    Args:
        id: unique, such as ``disease/pneumothorax``.
        type: one of the five types.
        term: the words, such as ``pneumothorax``, ``no pneumothorax`` or ``left upper zone``.
        label: the finding it is about; None for a place.
        present: False for a negation.
        sides, zones, severities: attributes it can take.
    """

    id: str
    type: EntityType
    term: str
    label: str | None = None
    present: bool = True
    sides: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()


@cache
def entity_bank() -> tuple[Entity, ...]:
    """All entities: findings, devices, negations of diseases and of common abnormalities, and eight places."""
    found = [
        Entity(f"{k.type.value}/{k.name}", k.type, k.name, k.name, True, k.sides, k.zones, k.severities) for k in KINDS
    ]
    diseases = [kind.name for kind in KINDS if kind.type is EntityType.DISEASE]
    absent = [_negation(EntityType.NON_ABNORMALITY, name) for name in COMMON_NEGATIONS]
    absent += [_negation(EntityType.NON_DISEASE, name) for name in diseases]
    places = [
        Entity(
            f"{EntityType.ANATOMY.value}/{side} {zone}",
            EntityType.ANATOMY,
            f"{side} {zone}",
            sides=(side,),
            zones=(zone,),
        )
        for side in SIDES
        for zone in ZONES
    ]
    apices = [
        Entity(f"{EntityType.ANATOMY.value}/{side} lung apex", EntityType.ANATOMY, f"{side} lung apex", sides=(side,))
        for side in SIDES
    ]
    # Eight places, as there are about eight of every other type: a smaller deck would be dealt more often.
    return (*found, *absent, *places, *apices)


def _negation(kind: EntityType, name: str) -> Entity:
    return Entity(f"{kind.value}/no {name}", kind, f"no {name}", name, False)
