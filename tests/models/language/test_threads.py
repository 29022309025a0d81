"""The number of threads is measured, and what it was before comes back."""

from __future__ import annotations

import pytest

from models.language import threads
from models.language.threads import FittedThreads


@pytest.mark.parametrize(("alone", "together", "chosen"), [(1.0, 0.6, 2), (1.0, 0.9, 1), (1.0, 30.0, 1)])
def test_more_threads_must_be_worth_it(monkeypatch, alone: float, together: float, chosen: int) -> None:
    import torch

    monkeypatch.setattr(threads, "_seconds", lambda number: alone if number == 1 else together)
    before = torch.get_num_threads()
    with FittedThreads(2) as used:
        assert (used.number, torch.get_num_threads()) == (chosen, chosen)
    assert torch.get_num_threads() == before


def test_one_bad_moment_is_enough_to_decline(monkeypatch) -> None:
    times = iter([1.0, 0.5, 1.0, 9.0, 1.0, 0.5])
    monkeypatch.setattr(threads, "_seconds", lambda _: next(times))
    with FittedThreads(2) as used:
        assert used.number == 1


def test_a_moment_that_was_only_slow_is_looked_at_again(monkeypatch) -> None:
    times = iter([1.0, 0.5, 1.0, 0.9, 1.0, 0.5, *([1.0, 0.5] * 3)])
    monkeypatch.setattr(threads, "_seconds", lambda _: next(times))
    with FittedThreads(2) as used:
        assert used.number == 2


@pytest.mark.parametrize(
    ("later", "chosen"),
    [
        ([1.0, 0.5], 2),  # as before: a short look is enough
        ([1.0, 9.0, *[1.0, 9.0]], 1),  # work has come
        ([1.0, 9.0, *[1.0, 0.5] * 3], 2),  # it was a moment
    ],
)
def test_what_comes_while_a_batch_runs_is_noticed(monkeypatch, later: list[float], chosen: int) -> None:
    times = iter([*[1.0, 0.5] * 3, *later, *[1.0, 9.0] * 3])
    monkeypatch.setattr(threads, "_seconds", lambda _: next(times))
    with FittedThreads(2) as used:
        used.keep_up()
        assert used.number == 2, "a look every few seconds, not at every step"
        monkeypatch.setattr(threads, "_EVERY", 0.0)
        used.keep_up()
        assert used.number == chosen


def test_where_the_engine_is_not_on_the_cpu_nothing_is_touched() -> None:
    import torch

    before = torch.get_num_threads()
    with FittedThreads(0) as used:
        used.keep_up()
        assert torch.get_num_threads() == before


def test_cores_that_become_free_are_taken(monkeypatch) -> None:
    share = [9.0]
    monkeypatch.setattr(threads, "_seconds", lambda number: 1.0 if number == 1 else share[0])
    monkeypatch.setattr(threads, "_EVERY", 0.0)
    with FittedThreads(2) as used:
        assert used.number == 1
        share[0] = 0.5
        used.keep_up()
        assert used.number == 2


def test_a_fault_inside_restores_the_number_too() -> None:
    import torch

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), FittedThreads(before):
        raise RuntimeError
    assert torch.get_num_threads() == before
