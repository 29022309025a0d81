"""The planner deals from this vocabulary: five pools whose terms match the findings and the reports."""

from __future__ import annotations

from collections import Counter

import numpy as np

from models.contracts import EntityType
from models.phantom.bank import entity_bank
from models.phantom.report import mentions_of
from models.phantom.vocabulary import BY_NAME, LABELS, Finding


def test_pools_have_the_promised_sizes():
    assert Counter(entity.type for entity in entity_bank()) == {
        EntityType.ABNORMALITY: 8,
        EntityType.DISEASE: 7,
        EntityType.NON_ABNORMALITY: 3 + 5,
        EntityType.NON_DISEASE: 7,
        EntityType.ANATOMY: 8,
    }


def test_ids_are_unique_and_name_type_and_term():
    bank = entity_bank()
    assert len({entity.id for entity in bank}) == len(bank)
    assert all(entity.id == f"{entity.type.value}/{entity.term}" for entity in bank)


def test_every_label_is_dealt_with_the_attributes_of_its_kind():
    present = {entity.label: entity for entity in entity_bank() if entity.present and entity.label}
    assert set(present) == set(LABELS)
    for label, entity in present.items():
        kind = BY_NAME[label]
        assert (entity.sides, entity.zones, entity.severities) == (kind.sides, kind.zones, kind.severities)


def test_negations_read_as_reports_do():
    negations = [entity for entity in entity_bank() if not entity.present]
    assert all(entity.term == f"no {entity.label}" for entity in negations)
    assert all(BY_NAME[entity.label or ""].type is EntityType.DISEASE
               for entity in negations if entity.type is EntityType.NON_DISEASE)  # fmt: skip


def test_a_rendered_film_mentions_entities_of_the_bank():
    ids = {entity.id for entity in entity_bank()}
    for label in LABELS:
        found = mentions_of([Finding(label)], np.random.default_rng(0))
        assert {mention.entity for mention in found if mention.present} <= ids
