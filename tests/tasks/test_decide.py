"""Scores become decisions against thresholds, and NaN never passes."""

from __future__ import annotations

import pytest

from models.contracts import GateScore
from tasks.decide import decide


def test_reaching_the_threshold_passes_and_the_first_failure_is_returned() -> None:
    scores = [GateScore("a", 0.5, "fine", "m1"), GateScore("b", 0.4, "weak"), GateScore("c", 0.1)]
    rows, failed = decide(scores, {"a": 0.5, "b": 0.5, "c": 0.5})
    assert [row.passed for row in rows] == [True, False, False]
    assert failed is rows[1]
    assert (rows[0].reason, rows[0].model, rows[0].threshold) == ("fine", "m1", 0.5)


def test_another_threshold_re_decides_the_same_scores() -> None:
    scores = [GateScore("a", 0.5)]
    assert decide(scores, {"a": 0.6})[1] is not None
    assert decide(scores, {"a": 0.4})[1] is None


@pytest.mark.parametrize("threshold", [0.0, -1e9, float("-inf"), float("nan")])
def test_nan_never_passes(threshold: float) -> None:
    rows, failed = decide([GateScore("a", float("nan"))], {"a": threshold})
    assert failed is rows[0]


def test_a_gate_without_threshold_is_an_error_and_no_gate_is_no_failure() -> None:
    with pytest.raises(KeyError, match="a"):
        decide([GateScore("a", 1.0)], {})
    assert decide([], {}) == ([], None)
