"""Any bank of typed entities plans, or the largest feasible number is said; what is left out is counted."""

from __future__ import annotations

import re
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.contracts import Entity, EntityType
from models.phantom.bank import entity_bank
from tasks.plan.deck.plan_sampler import PlanSampler
from tasks.plan.deck.sampler import ORDER, BalancedSampler
from tasks.plan.deck.target import deck_weights
from tasks.plan.errors import InfeasiblePlan
from tasks.plan.rules.constraints import ConflictTable, rule_set
from tests.counts import scaled

SAMPLES = 48
TERMS = (
    *("pneumothorax", "left pneumothorax", "right effusion", "effusion", "consolidation", "pneumonia", "lung edema"),
    *("rib fracture", "fracture", "osteophyte", "calcification", "mass", "increased heart size", "small heart size"),
    *("mumps", "scar", "left rib", "right lung", "left lung base", "stomach", "liver", "spine", "trachea", "aorta"),
)
quick = settings(max_examples=scaled(25), suppress_health_check=[HealthCheck.too_slow])


@st.composite
def banks(draw: st.DrawFn, most: int = 12) -> tuple[list[Entity], dict[EntityType, int]]:
    """Any mixture of types, some missing, some of one entity, with sides, places, opposites and a long tail."""
    kinds = draw(st.lists(st.sampled_from(ORDER), min_size=1, max_size=5, unique=True))
    entities = []
    for kind in kinds:
        terms = draw(st.lists(st.sampled_from(TERMS), min_size=1, max_size=most, unique=True))
        for term in terms:
            denied = kind in (EntityType.NON_ABNORMALITY, EntityType.NON_DISEASE)
            said = f"no {term}" if denied else term
            count = draw(st.sampled_from((1, 1, 1, 2, 5, 40, 100_000)))
            entities.append(Entity(f"{kind.value}/{said}", kind, said, present=not denied, count=count))
    return entities, {
        kind: draw(st.integers(1, min(3, sum(entity.type is kind for entity in entities)))) for kind in kinds
    }


def table_of(entities: list[Entity]) -> ConflictTable:
    return ConflictTable(entities, rule_set("phantom"))


def plan_of(
    entities: list[Entity], per_report: dict[EntityType, int], target: str = "uniform", samples: int = SAMPLES
) -> PlanSampler:
    pools = {kind: [n for n, e in enumerate(entities) if e.type is kind] for kind in EntityType}
    table = table_of(entities)
    weights = deck_weights(entities, table.concepts(np.arange(len(entities))), per_report, target, "b")  # type: ignore[arg-type]
    return PlanSampler(pools, per_report, table, "mark", weights, samples)


def breaks(table: ConflictTable, row: tuple[int, ...]) -> bool:
    """Whether a sample breaks a rule, by the table's single questions."""
    apart = any(table.conflicts(np.array(a), np.array(b)) for a, b in combinations(row, 2))
    places = [number for number in row if table.entities[number].type is EntityType.ANATOMY]
    return apart or any(table.unplaceable(np.array(place), np.array(row)) for place in places)


def any_sample(entities: list[Entity], per_report: dict[EntityType, int]) -> bool:
    """By trying every one."""
    table = table_of(entities)
    pools = [[n for n, e in enumerate(entities) if e.type is kind] for kind in per_report]
    chosen = (combinations(pool, count) for pool, count in zip(pools, per_report.values(), strict=True))
    return any(not breaks(table, sum(parts, ())) for parts in product(*chosen))


def plan_or_refusal(
    entities: list[Entity], per_report: dict[EntityType, int], target: str
) -> tuple[PlanSampler | None, str]:
    try:
        return plan_of(entities, per_report, target), ""
    except InfeasiblePlan as error:
        return None, str(error)


def numbers_in(refusal: str) -> dict[str, int]:
    """The numbers that a refusal says are feasible, by type."""
    return {name: int(count) for name, count in re.findall(r"plan\.per_report\.(\w+)=(\d+)", refusal)}


@quick
@given(banks(), st.sampled_from(("uniform", "square_root", "empirical")))
def test_any_bank_plans_or_says_the_largest_feasible_number(
    bank: tuple[list[Entity], dict[EntityType, int]], target: str
) -> None:
    entities, per_report = bank
    sampler, refusal = plan_or_refusal(entities, per_report, target)
    if sampler is None:
        assert len(refusal.splitlines()) == 1
        largest = numbers_in(refusal)
        less = {kind: largest.get(kind.value, count) for kind, count in per_report.items()}
        if "at most" not in refusal:
            assert largest
            plan_of(entities, {kind: count for kind, count in less.items() if count}, target).draw(0, SAMPLES)
        return
    rows = sampler.draw(0, SAMPLES)
    table = table_of(entities)
    assert not any(breaks(table, tuple(row)) for row in rows.tolist())
    for kind, held in sampler.columns().items():
        assert {entities[number].type for number in rows[:, held].ravel()} == {kind}
        assert all(len(set(row)) == per_report[kind] for row in rows[:, held].tolist())


@settings(quick)
@given(banks(most=5))
def test_a_refusal_is_true_and_its_number_the_largest(bank: tuple[list[Entity], dict[EntityType, int]]) -> None:
    entities, per_report = bank
    feasible = any_sample(entities, per_report)
    if feasible:
        plan_of(entities, per_report)
        return
    with pytest.raises(InfeasiblePlan, match="the largest feasible number is") as caught:
        plan_of(entities, per_report)
    largest = numbers_in(str(caught.value))
    for name, count in largest.items():
        kind = EntityType(name)
        others = {k: largest.get(k.value, n) for k, n in per_report.items()}
        assert not any_sample(entities, {**others, kind: count + 1}), "one more is too many"


@quick
@given(banks(), st.data())
def test_access_is_random_whatever_is_left_out(
    bank: tuple[list[Entity], dict[EntityType, int]], data: st.DataObject
) -> None:
    try:
        sampler = plan_of(*bank)
    except InfeasiblePlan:
        return
    rows, left = sampler.draw(0, SAMPLES), sampler.left_out(0, SAMPLES)
    start = data.draw(st.integers(0, SAMPLES - 1))
    stop = data.draw(st.integers(start + 1, SAMPLES))
    longer = plan_of(*bank, samples=200)
    assert (longer.draw(start, stop) == rows[start:stop]).all(), "the size of the plan changes no sample"
    assert (longer.left_out(start, stop) == left[start:stop]).all()
    assert (sampler.settle(start, stop) == rows[start:stop]).all()


@quick
@given(banks())
def test_what_is_not_left_out_is_dealt_as_often_as_ever(bank: tuple[list[Entity], dict[EntityType, int]]) -> None:
    """Per whole pass: used as often as the weight says, less the times left out, more what stands in for others."""
    try:
        sampler = plan_of(*bank)
    except InfeasiblePlan:
        return
    for deck, held in zip(sampler.decks, sampler.columns().values(), strict=True):
        rows, left = sampler.draw(0, SAMPLES)[:, held].ravel(), sampler.left_out(0, SAMPLES)[:, held].ravel()
        end = len(rows) // len(deck.cards) * len(deck.cards)
        counts = np.bincount(rows[:end], minlength=len(sampler.table.entities))[deck.cards]
        gone = np.bincount(left[:end][left[:end] >= 0], minlength=len(sampler.table.entities))[deck.cards]
        assert (counts >= end // len(deck.cards) - gone).all()
        if not (left >= 0).any():
            assert (counts == end // len(deck.cards)).all()


def test_a_bank_that_can_be_arranged_is_dealt_as_by_the_strict_sampler() -> None:
    entities, asked = list(entity_bank()), dict.fromkeys(EntityType, 1)
    pools = {kind: [n for n, e in enumerate(entities) if e.type is kind] for kind in EntityType}
    strict = BalancedSampler(pools, asked, table_of(entities), "mark")
    lenient = plan_of(entities, asked, samples=3000)
    assert (lenient.draw(0, 3000) == strict.draw(0, 3000)).all()
    assert (lenient.left_out(0, 3000) == -1).all()


def test_a_place_without_a_finding_for_it_is_left_out_of_every_sample() -> None:
    terms = {EntityType.DISEASE: ("pneumothorax", "pneumonia"), EntityType.ANATOMY: ("lung", "hilum", "rib")}
    entities = [Entity(f"{k.value}/{t}", k, t) for k, names in terms.items() for t in names]
    sampler = plan_of(entities, dict.fromkeys(terms, 1))
    rows, left = sampler.draw(0, SAMPLES), sampler.left_out(0, SAMPLES)
    assert sorted(np.unique(rows[:, 1])) == [2, 3]
    assert (np.unique(left).tolist(), int((left == 4).sum())) == ([-1, 4], SAMPLES // 3)


def test_a_finding_that_leaves_no_denial_is_left_out_of_the_whole_plan() -> None:
    findings, denials = EntityType.ABNORMALITY, EntityType.NON_ABNORMALITY
    entities = [Entity(f"a/{term}", findings, term) for term in ("mass", "scar", "cyst")]
    entities += [Entity(f"n/no {term}", denials, f"no {term}", present=False) for term in ("mass",)]
    sampler = plan_of(entities, {findings: 1, denials: 1})
    assert np.unique(sampler.draw(0, SAMPLES)[:, 0]).tolist() == [1, 2]
    assert (sampler.left_out(0, SAMPLES)[:, 0] == 0).sum() == SAMPLES // 3


def test_an_entity_dealt_twice_into_a_sample_that_nothing_else_fitted_gives_way_once() -> None:
    terms = {
        EntityType.ABNORMALITY: ("effusion", "mass", "scar", "pneumonia", "consolidation"),
        EntityType.NON_ABNORMALITY: ("no effusion", "no pneumonia", "no consolidation"),
        EntityType.DISEASE: ("pneumonia", "consolidation", "lung edema"),
    }
    entities = [
        Entity(f"{k.value}/{t}", k, t, present=k is not EntityType.NON_ABNORMALITY)
        for k, ts in terms.items()
        for t in ts
    ]
    sampler = plan_of(entities, {**dict.fromkeys(terms, 1), EntityType.NON_ABNORMALITY: 2}, samples=400)
    dealt = BalancedSampler._settle_all(sampler, 0, 400)
    denials = sampler.columns()[EntityType.NON_ABNORMALITY]
    twice = dealt.rows[:, denials][:, 0] == dealt.rows[:, denials][:, 1]
    assert (dealt.broken & twice).any(), "the case is met"
    rows = sampler.draw(0, 400)
    assert not any(breaks(sampler.table, tuple(row)) for row in rows.tolist())


def test_the_largest_number_is_said_where_no_sample_is_left() -> None:
    entities = [Entity(f"disease/{t}", EntityType.DISEASE, t) for t in ("pneumothorax", "effusion")]
    entities += [Entity(f"anatomy/{t}", EntityType.ANATOMY, t) for t in ("lung", "rib", "liver")]
    with pytest.raises(InfeasiblePlan) as caught:
        plan_of(entities, {EntityType.DISEASE: 1, EntityType.ANATOMY: 3})
    assert str(caught.value) == (
        "plan.per_report: no report can have disease 1, anatomy 3, since the rules of plan.constraints keep the "
        "bank's entities apart: the largest feasible number is plan.per_report.anatomy=1; or add entities of other "
        "findings or places to the bank, or loosen plan.constraints"
    )
