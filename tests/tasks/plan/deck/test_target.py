"""What a target makes of a corpus's counts: cards in proportion, bounded, and no concept in nearly every sample."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.contracts import Entity, EntityType
from tasks.plan.deck.target import LARGEST_DECK, MOST_SAMPLES, apportion, capped, deck_weights
from tasks.plan.errors import BankError
from tasks.plan.plan import make_plan
from tasks.recipe.schema import Recipe

KIND = EntityType.DISEASE
COUNTS = st.lists(st.integers(0, 100_000), min_size=1, max_size=60).filter(any)


def bank(*counts: int | None) -> list[Entity]:
    return [Entity(f"disease/{n}", EntityType.DISEASE, f"disease {n}", count=count) for n, count in enumerate(counts)]


def weights(target: str, *counts: int | None, per_sample: int = 1) -> list[int]:
    return deck_weights(bank(*counts), np.arange(len(counts)), {KIND: per_sample}, target, "b.csv")[KIND].tolist()  # type: ignore[arg-type]


def test_uniform_asks_for_no_count() -> None:
    assert weights("uniform", None, 5, 0) == [1, 1, 1]


def test_the_targets_are_proportional_to_counts_and_to_their_roots() -> None:
    assert np.allclose(np.array(weights("empirical", 40, 20, 10)) / weights("empirical", 40, 20, 10)[2], [4, 2, 1])
    roots = weights("square_root", 1600, 400, 100)
    assert np.allclose(np.array(roots) / roots[2], [4, 2, 1])


@pytest.mark.parametrize("target", ["square_root", "empirical"])
def test_equal_counts_are_dealt_evenly(target: str) -> None:
    assert len(set(weights(target, 7, 7, 7, 7))) == 1


def test_a_zero_count_is_never_dealt_and_too_rare_a_one_neither() -> None:
    held = weights("empirical", 0, 1, *[100_000] * 5)
    assert held[:2] == [0, 0]
    assert sum(held) == LARGEST_DECK


@given(COUNTS, st.integers(1, 1000))
def test_cards_differ_from_their_quota_by_less_than_one(counts: list[int], more: int) -> None:
    shares = np.array(counts, dtype=float)
    cards = len(counts) + more
    held = apportion(shares, cards)
    assert held.sum() == cards
    assert (abs(held - shares / shares.sum() * cards) < 1).all()


@given(COUNTS, st.integers(1, 4), st.integers(1, 60))
def test_no_concept_gets_more_than_samples_can_hold(counts: list[int], per_sample: int, concepts: int) -> None:
    concept = np.arange(len(counts)) % concepts
    wanted = np.array(counts, dtype=float)
    shares = capped(wanted, concept, per_sample)
    sums = np.bincount(concept, weights=shares)
    held = max(1, np.count_nonzero(np.bincount(concept, weights=wanted)))
    assert sums.max() <= max(MOST_SAMPLES / per_sample, 1 / held) + 1e-9
    assert abs(shares.sum() - 1) < 1e-9
    order = np.argsort(np.bincount(concept, weights=wanted), kind="stable")
    assert (np.diff(sums[order]) >= -1e-12).all(), "the commoner stays the commoner"


def test_as_many_entities_as_a_sample_holds_are_dealt_evenly_whatever_their_counts() -> None:
    assert len(set(weights("empirical", 90_000, 500, 3, per_sample=3))) == 1


def test_a_finding_and_its_denial_leave_room_for_each_other() -> None:
    kinds = (EntityType.DISEASE, EntityType.NON_DISEASE)
    entities = [Entity(f"{k}/{n}", k, str(n), count=1000 if n == 0 else 10) for k in kinds for n in range(20)]
    held = deck_weights(entities, np.tile(np.arange(20), 2), dict.fromkeys(kinds, 2), "empirical", "b.csv")
    assert sum(2 * weights[0] / weights.sum() for weights in held.values()) < 1


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ((5, None, 2), "plan.target is empirical, but bank 'b.csv' has no count for 1 of 3 disease entities, such as "
                       "'disease 1': give it a column `count`"),
        ((0, 0), "every disease count of bank 'b.csv' is 0"),
    ],
)  # fmt: skip
def test_a_bank_without_counts_is_named_with_the_remedy(counts: tuple[int | None, ...], message: str) -> None:
    with pytest.raises(BankError, match=message):
        weights("empirical", *counts)


@pytest.mark.parametrize("target", ["square_root", "empirical"])
@pytest.mark.parametrize(
    "per_report", ["plan.max_use=", "plan.per_report={abnormality: 2, non_disease: 1, anatomy: 3}"]
)
def test_the_phantoms_long_tail_is_planned(target: str, per_report: str, recipe: Callable[..., Recipe]) -> None:
    plan = make_plan(recipe("pairs=4000", f"plan.target={target}", per_report), "f" * 64)
    counts = plan.planned_counts()
    found = [e for e in plan.entities if e.type is EntityType.ABNORMALITY]
    commonest, rarest = max(found, key=lambda e: e.count or 0), min(found, key=lambda e: e.count or 0)
    assert counts[commonest.id] > 4 * counts[rarest.id] > 0
    rows = plan.sampler.draw(0, 4000)
    for a, b in combinations(range(plan.sampler.width), 2):
        assert not plan.sampler.table.conflicts(rows[:, a], rows[:, b]).any()


def test_counts_follow_the_weights_inside_a_pass_too(recipe: Callable[..., Recipe]) -> None:
    plan = make_plan(recipe("plan.target=empirical"), "f" * 64)
    deck = next(deck for deck in plan.sampler.decks if deck.type is EntityType.ABNORMALITY)
    samples = len(deck.cards) // 3
    counts = plan.planned_counts(samples)
    for number, weight in zip(deck.cards[np.cumsum(deck.weights) - 1], deck.weights, strict=True):
        assert abs(counts[plan.entities[number].id] - weight * samples / len(deck.cards)) < 8


def test_a_bank_file_without_counts_is_refused_before_the_run(tmp_path: Path, recipe: Callable[..., Recipe]) -> None:
    (tmp_path / "bank.csv").write_text("type,term\ndisease,mumps\n", encoding="utf-8")
    asked = ("plan.per_report={disease: 1}", "plan.target=square_root")
    with pytest.raises(BankError, match=r"bank.csv' has no count for 1 of 1 disease entities.*plan.target=uniform"):
        make_plan(recipe(f"plan.bank={tmp_path}/bank.csv", *asked), "f" * 64)
