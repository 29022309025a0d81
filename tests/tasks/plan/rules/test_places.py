"""A pneumothorax in a rib never reaches the language model, and no left lesion lies in the right lung."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from models.contracts import Entity, EntityType
from models.phantom.bank import entity_bank
from tasks.plan.deck.sampler import BalancedSampler
from tasks.plan.rules.constraints import ConflictTable, RuleSet, concept_of, rule_set
from tasks.plan.rules.places import INCOMPATIBLE, KINDS, REGIONS

Make = Callable[..., Entity]
LEFT, RIGHT = {"sides": ("left",)}, {"sides": ("right",)}


def table(*entities: Entity, rules: str = "generic") -> ConflictTable:
    return ConflictTable(entities, rule_set(rules))


@pytest.mark.parametrize("rules", ["generic", "phantom"])
@pytest.mark.parametrize(
    ("finding", "place"),
    [
        ("pneumothorax", "rib"),
        ("pneumothorax", "left posterior ribs"),
        ("small pleural effusion", "stomach"),
        ("pneumonia", "clavicles"),
        ("patchy consolidation", "soft tissue"),
        ("bronchial wall thickening with pneumonia", "left chest wall"),
        ("lung nodule", "thoracic spine"),
        ("compression fracture", "aorta"),
        ("fractures", "trachea"),
    ],
)
def test_a_finding_that_cannot_lie_there_is_refused(finding: str, place: str, rules: str, entity: Make) -> None:
    both = table(entity("disease", finding), entity("anatomy", place), rules=rules)
    reason = both.reason(0, 1)
    assert reason is not None
    assert reason.startswith(f"'{finding}' and '{place}': ")
    assert both.unplaceable(np.array([1]), np.array([[0, 1, -1]])).all()
    assert not both.unplaceable(np.array([1]), np.array([[-1, 1, -1]])).any()


@pytest.mark.parametrize(
    ("finding", "place"),
    [
        ("pneumothorax", "left lung apex"),
        ("pleural effusion", "costophrenic angle"),
        ("lung nodule", "retrocardiac region"),
        ("rib fracture", "left lung base"),  # says itself where it is
        ("subcutaneous emphysema", "rib"),
        ("pericardial effusion", "rib"),
        ("cardiomegaly", "rib"),
        ("mass", "rib"),
        ("fracture", "left lung base"),  # lung places are most of any bank
        ("quoted (.*)", "rib"),
    ],
)
def test_what_can_lie_there_or_says_where_it_lies_is_not(finding: str, place: str, entity: Make) -> None:
    assert table(entity("disease", finding), entity("anatomy", place)).reason(0, 1) is None


def test_an_absent_finding_fits_every_place(entity: Make) -> None:
    assert (
        table(entity("non_disease", "no pneumothorax", present=False), entity("anatomy", "rib")).reason(0, 1) is None
    )


@pytest.mark.parametrize(
    ("other", "place", "hosts"),
    [
        ("rib fracture", "clavicle", True),
        ("osteophyte", "thoracic spine", True),
        ("calcification", "rib", True),
        ("subcutaneous emphysema", "axilla", True),
        ("cardiomegaly", "rib", False),
        ("pneumonia", "rib", False),
        ("osteophyte", "stomach", False),
    ],
)
def test_a_finding_that_lies_there_keeps_the_others_out_of_it(
    other: str, place: str, hosts: bool, entity: Make
) -> None:
    both = table(entity("disease", "pneumothorax"), entity("abnormality", other), entity("anatomy", place))
    assert both.unplaceable(np.array(2), np.array([0, 1, 2])) != hosts


@pytest.mark.parametrize(
    ("finding", "place"),
    [
        (("pneumothorax", LEFT), ("lung base", RIGHT)),
        (("left pneumothorax", {}), ("right lung base", {})),
        (("pneumonia", RIGHT), ("lingula", {})),
        (("pneumonia", LEFT), ("middle lobe", {})),
    ],
)
def test_a_finding_of_one_side_is_not_put_beside_a_place_of_the_other(
    finding: tuple[str, dict[str, object]], place: tuple[str, dict[str, object]], entity: Make
) -> None:
    both = table(entity("disease", finding[0], **finding[1]), entity("anatomy", place[0], **place[1]))
    assert both.broken(np.array([0]), np.array([1]))["side"].all()
    assert "the place on the" in (both.reason(0, 1) or "")


@pytest.mark.parametrize(
    ("finding", "place"),
    [
        (("pneumothorax", LEFT), ("lung base", LEFT)),
        (("pneumothorax", {"sides": ("left", "right")}), ("lung base", RIGHT)),
        (("bilateral pneumonia", {}), ("right lung base", {})),
        (("pneumonia", LEFT), ("bilateral lung bases", {})),
        (("pneumonia", LEFT), ("right atrium", {})),  # the heart is nobody's lung
        (("cardiomegaly", LEFT), ("right lung base", {})),
    ],
)
def test_sides_that_agree_or_do_not_matter_may_meet(
    finding: tuple[str, dict[str, object]], place: tuple[str, dict[str, object]], entity: Make
) -> None:
    assert (
        table(entity("disease", finding[0], **finding[1]), entity("anatomy", place[0], **place[1])).reason(0, 1)
        is None
    )


def test_the_tables_are_whole() -> None:
    for item in INCOMPATIBLE:
        assert item.kind in KINDS
        assert item.region in REGIONS
        assert len(item.reason) > 10
    assert len({(item.kind, item.region) for item in INCOMPATIBLE}) == len(INCOMPATIBLE)


def test_the_phantoms_findings_fit_its_places() -> None:
    both = ConflictTable(entity_bank(), RuleSet(concept_of, places=True))
    places = [n for n, e in enumerate(both.entities) if e.type is EntityType.ANATOMY]
    assert not any(both.reason(a, b) for a, b in product(range(len(both.entities)), places) if a != b)


def test_no_dealt_sample_has_a_misfit_and_every_one_is_counted(entity: Make) -> None:
    findings = [
        "pneumothorax",
        "pneumonia",
        "fracture",
        "cardiomegaly",
        "asthma",
        "scoliosis",
        "mass",
        "nodule",
        "kyphosis",
    ]
    places = ["rib", "lung base", "stomach", "hilum", "left lung", "aorta", "lung apex", "mediastinum", "fissure"]
    bank = [*(entity("disease", term) for term in findings), *(entity("anatomy", term) for term in places)]
    kinds = {EntityType.DISEASE: range(9), EntityType.ANATOMY: range(9, 18)}
    sampler = BalancedSampler(kinds, {EntityType.DISEASE: 1, EntityType.ANATOMY: 2}, table(*bank), "f", 64)
    rows = sampler.draw(0, 300)
    for column in (1, 2):
        assert not sampler.table.unplaceable(rows[:, column], rows).any()
    count = sampler.count_repairs(300)
    assert count.refused["place"] > 20
    assert count.refused["exclusion"] == count.refused["cooccurrence"] == 0
