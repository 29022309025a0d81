"""What cannot be done is said before the run, with the largest number that could."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contracts import Entity, EntityType
from tasks.plan.deck.feasible import check_feasible, per_report_of
from tasks.plan.errors import PlanError
from tasks.plan.plan import make_plan
from tasks.recipe.schema import Recipe

Make = Callable[..., Entity]


def bank(entity: Make, diseases: int, places: int) -> list[Entity]:
    return [entity("disease", f"d{n}") for n in range(diseases)] + [entity("anatomy", f"a{n}") for n in range(places)]


def refusal(*arguments: object) -> str:
    with pytest.raises(PlanError) as caught:
        check_feasible(*arguments)  # type: ignore[arg-type]
    return str(caught.value)


def test_more_entities_a_report_than_the_bank_has(entity: Make) -> None:
    wanted = {EntityType.DISEASE: 9, EntityType.NON_DISEASE: 1, EntityType.ANATOMY: 2}
    assert refusal(bank(entity, 4, 2), wanted, 10, None, "b.csv").split("; ") == [
        "plan.per_report.disease is 9, but bank 'b.csv' has 4 disease entities: at most 4 are feasible",
        "plan.per_report.non_disease is 1, but bank 'b.csv' has 0 non_disease entities: "
        "set it to 0, or add some to the bank",
    ]


def test_the_cap_names_the_largest_feasible_number(entity: Make) -> None:
    wanted = {EntityType.DISEASE: 3, EntityType.ANATOMY: 1}
    assert refusal(bank(entity, 10, 5), wanted, 100, 15, "b.csv").split("; ") == [
        "100 pairs x 3 disease a report is more than plan.max_use 15 x 10 disease entities in bank 'b.csv': "
        "at most 50 pairs",
        "100 pairs x 1 anatomy a report is more than plan.max_use 15 x 5 anatomy entities in bank 'b.csv': "
        "at most 75 pairs",
        "the largest feasible number is pairs=50, or raise plan.max_use to 30",
    ]


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 20), st.integers(1, 400))
def test_the_number_it_names_is_feasible_and_the_next_is_not(n: int, k: int, tau: int, pairs: int) -> None:
    entities = [Entity(f"disease/{i}", EntityType.DISEASE, f"{i}", None, True, (), (), ()) for i in range(max(n, k))]
    wanted = {EntityType.DISEASE: k}
    largest = tau * len(entities) // k
    if pairs <= largest:
        check_feasible(entities, wanted, pairs, tau, "b")
        return
    assert f"pairs={largest}," in refusal(entities, wanted, pairs, tau, "b")
    if largest:
        check_feasible(entities, wanted, largest, tau, "b")
    check_feasible(entities, wanted, pairs, -(-pairs * k // len(entities)), "b")


def test_bad_types_and_numbers() -> None:
    with pytest.raises(PlanError) as caught:
        per_report_of({"diseas": 1, "anatomy": -1, "disease": 0})
    assert caught.value.problems == (
        "plan.per_report: unknown entity type 'diseas'; did you mean disease? "
        "Known: abnormality, non_abnormality, disease, non_disease, anatomy",
        "plan.per_report.anatomy: -1 is not allowed: at least 0 is needed",
    )


@pytest.mark.parametrize("wanted", [{}, {"disease": 0}])
def test_nothing_asked(wanted: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="asks for no entity at all"):
        per_report_of(wanted)


def test_a_plan_is_refused_before_anything_is_made(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(PlanError, match=r"the largest feasible number is pairs=\d+"):
        make_plan(recipe("pairs=100000", "plan.max_use=10"), "f" * 64)


@pytest.mark.parametrize("per_report", ["plan.max_use=", "plan.per_report={abnormality: 2, anatomy: 3}"])
@pytest.mark.parametrize("target", ["uniform", "square_root", "empirical"])
@pytest.mark.parametrize("cap", [1, 700])
def test_the_largest_number_is_exact_for_every_target(
    target: str, cap: int, per_report: str, recipe: Callable[..., Recipe]
) -> None:
    asked = (f"plan.target={target}", per_report)
    with pytest.raises(PlanError) as caught:
        make_plan(recipe("pairs=6000", *asked, f"plan.max_use={cap}"), "f" * 64)
    found = re.search(r"the largest feasible number is pairs=(\d+), or raise plan.max_use to (\d+)", str(caught.value))
    assert found
    largest, needed = int(found[1]), int(found[2])
    plan = make_plan(recipe("pairs=6000", *asked), "f" * 64)
    assert max(plan.planned_counts(largest).values()) <= cap < max(plan.planned_counts(largest + 1).values())
    assert max(plan.planned_counts().values()) == needed


def test_the_most_frequent_entity_is_the_one_that_is_named(recipe: Callable[..., Recipe]) -> None:
    with pytest.raises(PlanError, match=r"pairs use abnormality 'pleural effusion' of bank 'phantom' \d+ times"):
        make_plan(recipe("pairs=1000", "plan.target=empirical", "plan.max_use=100"), "f" * 64)
