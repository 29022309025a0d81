"""A gate does not judge what it does not know: the recipe lets that pass by name, or the run does not begin."""

from __future__ import annotations

import pytest

from models import registry
from models.contracts import Entity, EntityType, VocabularyGate
from models.phantom.bank import entity_bank
from tasks.check.unjudged import unjudged_problems
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.schema import GateSpec, Recipe


def foreign(term: str, kind: EntityType = EntityType.DISEASE, label: str | None = None) -> Entity:
    return Entity(f"{kind}/{term}", kind, term, label, not term.startswith("no "))


BANK = (
    foreign("sarcoidosis"),
    foreign("tuberculosis"),
    foreign("no silicosis", EntityType.NON_DISEASE),
    foreign("rib fracture", EntityType.ABNORMALITY),
    foreign("collapse of the lung", EntityType.ABNORMALITY, "pneumothorax"),
    foreign("carina", EntityType.ANATOMY),
)


def recipe(kind: str, *allowed: str, **options: object) -> Recipe:
    gate = GateSpec(kind=kind, threshold=1.0, options=dict(options), allow_unjudged=allowed)
    return Recipe(report_gates=(gate,), image_gates=())


def test_the_gates_that_know_findings_are_those_that_say_so() -> None:
    needed = {"near_duplicate": {}, "vision_judge": {"model": "m"}}
    for kind in registry.GATES:
        gate = registry.build(registry.GATES, kind, needed.get(kind, {}))
        assert isinstance(gate, VocabularyGate) == (kind in registry.FINDING_GATES), kind


@pytest.mark.parametrize("kind", sorted(registry.FINDING_GATES))
def test_every_gate_knows_the_whole_phantom_bank(kind: str) -> None:
    assert unjudged_problems(recipe(kind), entity_bank()) == []


@pytest.mark.parametrize(
    ("kind", "unknown"),
    [
        ("agreement", "3 of the bank's 6 entities (disease/sarcoidosis, disease/tuberculosis, abnormality/rib "
                      "fracture)"),
        ("no_extra_finding", "4 of the bank's 6 entities (disease/sarcoidosis, disease/tuberculosis, non_disease/no "
                             "silicosis and 1 more)"),
        ("impression_consistency", "4 of the bank's 6"),
    ],
)  # fmt: skip
def test_what_a_gate_does_not_know_is_counted_and_named_with_the_remedy(kind: str, unknown: str) -> None:
    options = {} if kind == "agreement" else {"vocabulary": "phantom"}
    (line,) = unjudged_problems(recipe(kind, **options), BANK)
    assert f"report_gates.0: gate {kind} covers 18 findings and cannot judge {unknown}" in line
    assert "name those that may pass unjudged in report_gates.0.allow_unjudged" in line


@pytest.mark.parametrize("kind", ["no_extra_finding", "impression_consistency"])
def test_a_gate_on_text_knows_the_recipes_bank_where_no_option_says_otherwise(kind: str) -> None:
    assert unjudged_problems(recipe(kind), BANK) == []
    assert unjudged_problems(recipe(kind, vocabulary="bank"), BANK) == []


def test_a_wider_vocabulary_judges_more() -> None:
    assert unjudged_problems(recipe("no_extra_finding", vocabulary="chest"), BANK[3:]) == []


@pytest.mark.parametrize(
    "allowed",
    [["*"], ["disease/*", "Rib Fracture"], ["sarcoidosis", "tuberculosis", "abnormality/rib fracture", "unheard of"]],
)
def test_entities_are_allowed_by_id_by_term_or_all(allowed: list[str]) -> None:
    assert unjudged_problems(recipe("agreement", *allowed), BANK) == []


def test_one_that_is_not_named_is_not_allowed() -> None:
    (line,) = unjudged_problems(recipe("agreement", "sarcoidosis", "rib fracture"), BANK)
    assert "1 of the bank's 6 entities (disease/tuberculosis)" in line


def test_types_that_are_not_dealt_are_not_asked_about() -> None:
    asked = recipe("agreement").model_copy(
        update={"plan": recipe("agreement").plan.model_copy(update={"per_report": {"anatomy": 1, "disease": 0}})}
    )
    assert unjudged_problems(asked, BANK) == []


def test_a_gate_that_knows_no_findings_has_nothing_to_allow() -> None:
    assert unjudged_problems(recipe("length"), BANK) == []
    assert unjudged_problems(recipe("length", "*"), BANK) == [
        "report_gates.0.allow_unjudged: gate length judges no findings by name: leave the list out"
    ]


def test_wrong_options_are_left_to_whoever_opens_the_gate() -> None:
    assert unjudged_problems(recipe("no_extra_finding", vocabulary="klingon"), BANK) == []


def test_an_empty_list_changes_no_fingerprint_and_a_full_one_does() -> None:
    assert fingerprint(recipe("agreement")) != fingerprint(recipe("agreement", "*"))
    one = {"kind": "agreement", "threshold": 0.5, "allow_unjudged": "*"}
    assert GateSpec.model_validate_json('{"kind": "agreement", "threshold": 0.5, "allow_unjudged": "*"}', strict=True)
    assert GateSpec.model_validate(one).allow_unjudged == ("*",)
    with pytest.raises(ValueError, match="allow_unjudged"):
        GateSpec.model_validate({**one, "allow_unjudged": {"a": 1}})
