"""A top-up deals the entities of rejected samples again: each as often, with other entities, against no rule."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.plan.deck.top_up import next_round, parts, redistribute_rejected
from tasks.plan.plan import Plan, make_plan
from tasks.recipe.profile import load_recipe

MARK = "ab" * 32
PROFILES = Path(__file__).parents[4] / "flows" / "profiles"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(load_recipe("local", ["pairs=400", "shard_size=64", "top_up=1.5"], PROFILES), MARK)


def clashes(plan: Plan, rows: np.ndarray) -> int:
    width = rows.shape[1]
    return sum(int(plan.sampler.table.conflicts(rows[:, a], rows[:, b]).sum()) for a in range(width) for b in range(a))


@given(st.sets(st.integers(0, 399), min_size=1, max_size=120), st.integers(0, 9))
def test_every_entity_comes_back_as_often_and_no_rule_is_broken(plan: Plan, rejected: set[int], seed: int) -> None:
    rows = plan.sampler.draw(0, 400)[sorted(rejected)]
    dealt = redistribute_rejected(plan.sampler, rows, f"mark {seed}")
    for held in plan.sampler.columns().values():
        assert Counter(dealt[:, held].ravel().tolist()) == Counter(rows[:, held].ravel().tolist())
    assert clashes(plan, dealt) == 0


def test_many_samples_get_other_company_and_another_mark_gives_another_deal(plan: Plan) -> None:
    rows = plan.sampler.draw(0, 100)
    one, two = (redistribute_rejected(plan.sampler, rows, mark) for mark in ("one", "two"))
    assert (one != rows).any(axis=1).mean() > 0.9
    assert (one != two).any()
    assert (one == redistribute_rejected(plan.sampler, rows, "one")).all()


def test_a_lone_sample_comes_back_as_it_was(plan: Plan) -> None:
    rows = plan.sampler.draw(7, 8)
    assert (redistribute_rejected(plan.sampler, rows, "mark") == rows).all()


def test_a_round_takes_as_many_shards_as_it_needs(plan: Plan) -> None:
    found = next_round(plan.sampler, plan.layout, plan.sampler.draw(0, 70), [], "mark")
    assert (found.number, found.first, found.shards, found.given_up) == (1, 400, range(7, 9), 0)
    cut = [(shard, first, len(rows)) for shard, first, rows in parts(found, plan.layout.size)]
    assert cut == [(7, 400, 64), (8, 464, 6)]


def test_the_next_round_begins_in_a_shard_of_its_own(plan: Plan) -> None:
    first = next_round(plan.sampler, plan.layout, plan.sampler.draw(0, 70), [], "mark")
    second = next_round(plan.sampler, plan.layout, plan.sampler.draw(0, 3), [first], "mark")
    assert (second.number, second.first, second.shards) == (2, 528, range(9, 10))


def test_what_the_plan_has_no_room_for_is_counted(plan: Plan) -> None:
    found = next_round(plan.sampler, plan.layout, plan.sampler.draw(0, 250), [], "mark")
    assert (len(found.rows), len(found.shards), found.given_up) == (200, 4, 50)
    after = next_round(plan.sampler, plan.layout, plan.sampler.draw(0, 2), [found], "mark")
    assert (len(after.rows), len(after.shards), after.given_up) == (0, 0, 2)


def test_nothing_rejected_needs_no_round(plan: Plan) -> None:
    found = next_round(plan.sampler, plan.layout, plan.sampler.draw(0, 0), [], "mark")
    assert not found.shards
