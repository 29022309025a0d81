"""The learning rate on the way."""

from __future__ import annotations

import pytest

from models.training.schedule import Schedule


def test_it_warms_up_and_falls_to_zero_with_the_steps() -> None:
    schedule = Schedule(steps=100, rate=1.0, warmup=10)
    factors = [schedule.factor(step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == factors[9] == factors[10] == 1.0
    assert factors[55] == pytest.approx(0.5)
    assert factors[-1] < 0.001
    assert Schedule(1, 1.0, warmup=1).factor(0) == 1.0


def test_it_falls_with_the_minutes_where_they_run_out_first() -> None:
    schedule = Schedule(steps=1000, rate=1.0, minutes=10, warmup=100)
    assert schedule.factor(200, 300) == pytest.approx(0.5)
    assert schedule.factor(200, 601) == 0
    assert schedule.done(5, 600) == 1
    assert schedule.done(500, 0) == 0.5
