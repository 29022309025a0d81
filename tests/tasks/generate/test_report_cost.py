"""Cost by entity: the parts sum to the whole, and a hard entity shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import RejectRow, ReportRow
from tasks.generate.report_cost import EntityCost, shard_costs, table, total


def row(*entities: str, attempts: int = 1, tokens: int = 60) -> ReportRow:
    return ReportRow(
        sample_id="s", index=0, findings="", impression="", entities=list(entities), mentions=[], seed=0,
        attempts=attempts, tokens=60, tokens_all_attempts=tokens, gates=[],
    )  # fmt: skip


def reject(*entities: str, attempts: int = 3, stage: str = "reports") -> RejectRow:
    return RejectRow(
        sample_id="s", index=0, stage=stage, gate="g", score=0, threshold=1, reason="", attempts=attempts,
        entities=list(entities),
    )  # fmt: skip


def test_attempts_count_in_full_and_the_rest_is_shared() -> None:
    costs = shard_costs([row("a", "b", attempts=2, tokens=120)], [], seconds=10, tokens=120, cost_per_hour=360)
    assert costs["a"] == EntityCost("a", 1, 1, 2, 60.0, 5.0, 0.5)
    assert costs["a"].tokens_per_accepted == 60
    assert costs["a"].attempts_per_accepted == 2


def test_rejects_get_the_tokens_that_no_row_accounts_for_by_their_attempts() -> None:
    rejects = [reject("a"), reject("b", attempts=1), reject("c", stage="images")]
    costs = shard_costs([row("a")], rejects, seconds=46, tokens=60 + 400)
    assert (costs["a"].tokens, costs["b"].tokens) == (60 + 300, 100)
    assert (costs["a"].asked, costs["a"].accepted, costs["a"].attempts) == (2, 1, 4)
    assert costs["a"].seconds == pytest.approx(36)
    assert "c" not in costs, "its report passed and is among the rows of its shard"


def test_seconds_go_by_attempts_where_no_model_ran() -> None:
    costs = shard_costs([row("a", tokens=0), row("b", attempts=3, tokens=0)], [], seconds=8)
    assert (costs["a"].seconds, costs["b"].seconds) == (2, 6)


def test_nothing_costs_nothing() -> None:
    assert shard_costs([], [], seconds=1) == {}
    assert shard_costs([row()], [reject()], seconds=1, tokens=500) == {}
    assert total([]) == []


def test_the_dearest_comes_first_and_the_never_accepted_before_it() -> None:
    shard = shard_costs([row("cheap"), row("dear", attempts=3, tokens=180)], [reject("never")], seconds=1, tokens=300)
    costs = total([shard, shard])
    assert [cost.entity for cost in costs] == ["never", "dear", "cheap"]
    assert costs[1].asked == 2
    assert table(costs, most=2) == [
        ["entity", "asked", "accepted", "attempts each", "tokens each", "seconds each", "cost each"],
        ["never", "2", "0", "-", "-", "-", "-"],
        ["dear", "2", "2", "3.00", "180.0", "0.600", "0"],
    ]


names = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)


@given(
    rows=st.lists(st.tuples(names, st.integers(1, 3), st.integers(0, 99)), max_size=6),
    fails=st.lists(st.tuples(names, st.integers(1, 3)), max_size=4),
    extra=st.integers(0, 500),
    seconds=st.floats(0, 1e4),
)
def test_the_parts_sum_to_the_whole(rows, fails, extra: int, seconds: float) -> None:
    written = [row(*entities, attempts=attempts, tokens=tokens) for entities, attempts, tokens in rows]
    spent = sum(tokens for _, _, tokens in rows) + (extra if fails else 0)
    rejects = [reject(*entities, attempts=attempts) for entities, attempts in fails]
    costs = total([shard_costs(written, rejects, seconds=seconds, tokens=spent, cost_per_hour=2)])
    assert sum(cost.tokens for cost in costs) == pytest.approx(spent)
    if rows or fails:
        assert sum(cost.seconds for cost in costs) == pytest.approx(seconds)
        assert sum(cost.currency for cost in costs) == pytest.approx(seconds / 1800)
    assert sum(cost.asked for cost in costs) == sum(len(sample[0]) for sample in [*rows, *fails])
