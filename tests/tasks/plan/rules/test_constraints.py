"""Which entities never meet in one report, and the reason that people are given."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.contracts import Entity
from models.phantom.vocabulary import LABELS
from tasks.plan.errors import PlanError
from tasks.plan.rules.constraints import EXCLUSIONS, ConflictTable, concept_of, rule_set

Make = Callable[..., Entity]


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("increased heart size", "decreased heart size"),
        ("increased in size", "decreased in size"),
        ("Increased interstitial markings", "interstitial markings"),
        ("normal heart size", "enlarged heart"),
        ("low lung volumes", "high lung volumes"),
        ("no pleural effusion", "small left pleural effusion"),
        ("no evidence of pneumonia", "pneumonia"),
        ("without focal consolidation", "no focal consolidation"),
        ("left rib fracture", "right rib fracture"),
    ],
)
def test_opposites_and_polarities_are_one_concept(one: str, two: str, entity: Make) -> None:
    assert concept_of(entity("abnormality", one)) == concept_of(entity("non_abnormality", two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("pleural effusion", "pericardial effusion"),
        ("no rib fracture", "clavicle fracture"),
        ("nodule", "nodular opacity"),
        ("(.*)", "[a-z]+"),
    ],
)
def test_different_things_stay_different(one: str, two: str, entity: Make) -> None:
    assert concept_of(entity("disease", one)) != concept_of(entity("disease", two))


def test_a_place_never_clashes_with_a_finding_of_the_same_words(entity: Make) -> None:
    assert concept_of(entity("anatomy", "left lung")) != concept_of(entity("abnormality", "left lung"))
    assert concept_of(entity("anatomy", "left lung")) != concept_of(entity("anatomy", "right lung"))


def test_the_label_counts_more_than_the_words(entity: Make) -> None:
    a, b = entity("disease", "big heart", label="cardiomegaly"), entity("disease", "wide heart", label="cardiomegaly")
    assert ConflictTable([a, b], rule_set("phantom")).reason(0, 1) is not None


def test_exclusions_cover_what_the_phantom_never_films_together() -> None:
    from models.phantom.case import EXCLUSIONS as FILM_EXCLUSIONS

    ours = {frozenset((item.first, item.second)) for item in EXCLUSIONS}
    assert {frozenset(pair) for pair in FILM_EXCLUSIONS} <= ours
    assert all(label in LABELS for pair in ours for label in pair)
    assert all(len(item.reason) > 10 for item in EXCLUSIONS)


def test_an_exclusion_holds_for_present_findings_only(entity: Make) -> None:
    bank = [
        entity("disease", "emphysema", label="emphysema"),
        entity("disease", "pulmonary edema", label="pulmonary edema"),
        entity("non_disease", "no pulmonary edema", label="pulmonary edema", present=False),
    ]
    table = ConflictTable(bank, rule_set("phantom"))
    assert (
        table.reason(0, 1)
        == "'emphysema' and 'pulmonary edema': emphysema clears the lungs, edema fills them; one film shows one"
    )
    assert table.reason(0, 2) is None
    assert ConflictTable(bank, rule_set("generic")).reason(0, 1) is None
    assert ConflictTable(bank, rule_set("none")).reason(1, 2) is None


def test_conflicts_are_symmetric_and_nobody_is_never_one(entity: Make) -> None:
    bank = [entity("disease", name, label=name) for name in LABELS]
    table = ConflictTable(bank, rule_set("phantom"))
    every = np.arange(len(bank))
    matrix = table.conflicts(every[:, None], every[None, :])
    assert (matrix == matrix.T).all()
    assert not table.conflicts(every, np.full(len(bank), -1)).any()
    assert [[table.reason(a, b) is not None for b in every.tolist()] for a in every.tolist()] == matrix.tolist()


def test_unknown_rules() -> None:
    with pytest.raises(PlanError, match="unknown rules 'phantm'; did you mean phantom"):
        rule_set("phantm")
