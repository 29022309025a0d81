"""The phantom's vocabulary as an entity bank: what the planner deals from."""

from __future__ import annotations

from functools import cache

from models.contracts import Entity, EntityType
from models.phantom.hospital import HOSPITAL_A
from models.phantom.vocabulary import KINDS, SIDES, ZONES

COMMON_NEGATIONS = ("pleural effusion", "consolidation", "atelectasis", "lung nodule", "hilar enlargement")
PATIENTS = 100_000


@cache
def entity_bank() -> tuple[Entity, ...]:
    """All entities: findings, devices, negations of diseases and of common abnormalities, and eight places.

    Their counts are those of 100,000 patients of hospital A: the long tail that a balanced plan undoes.
    """
    found = [
        Entity(f"{k.type.value}/{k.name}", k.type, k.name, k.name, True, k.sides, k.zones, k.severities, seen(k.name))
        for k in KINDS
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
            count=PATIENTS,
        )
        for side in SIDES
        for zone in ZONES
    ]
    apices = [
        Entity(
            f"{EntityType.ANATOMY.value}/{side} lung apex",
            EntityType.ANATOMY,
            f"{side} lung apex",
            sides=(side,),
            count=PATIENTS,
        )
        for side in SIDES
    ]
    # Eight places, as there are about eight of every other type: a smaller deck would be dealt more often.
    return (*found, *absent, *places, *apices)


def seen(name: str) -> int:
    """How many of 100,000 patients of hospital A have a finding."""
    return round(PATIENTS * HOSPITAL_A.prevalence[name])


def _negation(kind: EntityType, name: str) -> Entity:
    return Entity(f"{kind.value}/no {name}", kind, f"no {name}", name, False, count=PATIENTS - seen(name))
