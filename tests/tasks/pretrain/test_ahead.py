"""The next step is made while the last one is used, one at a time, and its errors come when it is asked for."""

from __future__ import annotations

import threading

import pytest

from tasks.pretrain.ahead import one_ahead


def test_every_step_is_made_once_in_its_order_and_none_beyond_the_last() -> None:
    made: list[int] = []

    def make(step: int) -> int:
        made.append(step)
        return step * step

    with one_ahead(make, 4) as ahead:
        assert [ahead(step) for step in range(4)] == [0, 1, 4, 9]
    assert made == [0, 1, 2, 3]


def test_the_next_step_is_made_by_another_thread_before_it_is_asked_for() -> None:
    made, threads = threading.Event(), set[int]()

    def make(step: int) -> int:
        threads.add(threading.get_ident())
        if step == 1:
            made.set()
        return step

    with one_ahead(make, 3) as ahead:
        ahead(0)
        assert made.wait(timeout=30)
    assert len(threads) == 2


def test_another_step_than_the_next_is_made_anew() -> None:
    with one_ahead(lambda step: step, 10) as ahead:
        assert [ahead(step) for step in (5, 2, 3)] == [5, 2, 3]


def test_an_error_comes_with_its_own_step_and_not_before() -> None:
    def make(step: int) -> int:
        if step == 2:
            raise ValueError("film 2 is damaged")
        return step

    with one_ahead(make, 4) as ahead:
        assert [ahead(0), ahead(1)] == [0, 1]
        with pytest.raises(ValueError, match="film 2"):
            ahead(2)
