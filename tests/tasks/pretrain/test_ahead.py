"""The next steps are made while one is used, one at a time, and their errors come when they are asked for."""

from __future__ import annotations

import threading
import time

import pytest

from tasks.pretrain.ahead import made_ahead


@pytest.mark.parametrize("many", [0, 1, 3, 9])
def test_every_step_is_made_once_in_its_order_and_none_beyond_the_last(many: int) -> None:
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        return step * step

    with made_ahead(make, 4, many) as ahead:
        assert [ahead(step) for step in range(4)] == [0, 1, 4, 9]
    assert made == [0, 1, 2, 3]


def test_the_next_step_is_made_by_another_thread_before_it_is_asked_for() -> None:
    made, threads = threading.Event(), set[int]()

    def make(step: int) -> int:
        threads.add(threading.get_ident())
        if step == 1:
            made.set()
        return step

    with made_ahead(make, 3) as ahead:
        ahead(0)
        assert made.wait(timeout=30)
    assert len(threads) == 2


@pytest.mark.parametrize("many", [0, 1, 3])
def test_another_step_than_the_next_is_made_anew(many: int) -> None:
    with made_ahead(lambda step: step, 10, many) as ahead:
        assert [ahead(step) for step in (5, 2, 3)] == [5, 2, 3]


def test_as_many_steps_as_asked_for_are_made_ahead_and_none_where_none_was_asked_for() -> None:
    for many in (0, 3):
        made = list[int]()
        with made_ahead(lambda step, made=made: made.append(step), 10, many) as ahead:
            ahead(0)
            deadline = time.monotonic() + 30
            while len(made) < 1 + many and time.monotonic() < deadline:
                time.sleep(0.01)
        assert made == [*range(1 + many)]


def test_an_error_comes_with_its_own_step_and_not_before() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise ValueError("film 2 is damaged")
        return step

    with made_ahead(make, 4) as ahead:
        assert [ahead(0), ahead(1)] == [0, 1]
        with pytest.raises(ValueError, match="film 2"):
            ahead(2)
