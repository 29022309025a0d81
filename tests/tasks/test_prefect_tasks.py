"""Items go through lanes in their order, and what needs no work passes by."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from prefect import flow

from tasks.prefect_tasks import Lane, one_by_one, side_by_side, step

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def run(what: Callable[[], object]) -> object:
    """Run in a flow, as task runs want to be."""
    return flow(name="test", log_prints=False)(what)()  # type: ignore[call-overload]


def test_one_by_one_takes_an_item_through_all_lanes_before_the_next() -> None:
    done: list[tuple[str, int]] = []
    lanes = [
        Lane("a", {1, 2}, lambda item: done.append(("a", item))),
        Lane("b", {2, 3}, lambda item: done.append(("b", item))),
    ]
    assert run(lambda: list(one_by_one(lanes, [1, 2, 3, 4]))) == [1, 2, 3, 4]
    assert done == [("a", 1), ("a", 2), ("b", 2), ("b", 3)]


def test_side_by_side_works_on_one_item_while_another_is_in_the_lane_before() -> None:
    first_drawn, second_written = threading.Event(), threading.Event()

    def write(item: int) -> None:
        if item == 2:
            assert first_drawn.wait(60), "the second text waited for the first film to end"
            second_written.set()

    def draw(item: int) -> None:
        if item == 1:
            first_drawn.set()
            assert second_written.wait(60), "the first film was drawn after the second text"

    lanes = [Lane("write", {1, 2, 3}, write), Lane("draw", {1, 2, 3}, draw)]
    assert run(lambda: sorted(side_by_side(lanes, [1, 2, 3]))) == [1, 2, 3]


def test_side_by_side_has_no_more_at_work_than_a_lane_takes_and_skips_what_is_done() -> None:
    at_work, most, lock, seen = [0], [0], threading.Lock(), list[int]()

    def work(item: int) -> None:
        with lock:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
            seen.append(item)
        threading.Event().wait(0.05)
        with lock:
            at_work[0] -= 1

    lanes = [Lane("work", {0, 2, 4, 5}, work, parallel=2), Lane("rest", set(), work)]
    assert run(lambda: sorted(side_by_side(lanes, range(6)))) == [0, 1, 2, 3, 4, 5]
    assert sorted(seen) == [0, 2, 4, 5]
    assert most[0] <= 2


def test_an_error_of_an_item_ends_the_run_with_it() -> None:
    def fail(item: int) -> None:
        raise ValueError(f"no {item}")

    with pytest.raises(ValueError, match="no 1"):
        run(lambda: list(side_by_side([Lane("fail", {1}, fail)], [1])))
    with pytest.raises(ValueError, match="no 1"):
        run(lambda: list(one_by_one([Lane("fail", {1}, fail)], [1])))


def test_a_step_gives_what_its_call_gives() -> None:
    assert run(lambda: step("kind", "name", lambda: 5)) == 5
