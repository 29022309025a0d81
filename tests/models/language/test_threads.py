"""The number of threads is measured, and what it was before comes back."""

from __future__ import annotations

import pytest

from models.language import threads
from models.language.threads import fitted_threads


@pytest.mark.parametrize(("alone", "together", "chosen"), [(1.0, 0.6, 2), (1.0, 0.9, 1), (1.0, 30.0, 1)])
def test_more_threads_must_be_worth_it(monkeypatch, alone: float, together: float, chosen: int) -> None:
    import torch

    monkeypatch.setattr(threads, "_seconds", lambda number: alone if number == 1 else together)
    before = torch.get_num_threads()
    with fitted_threads(2) as used:
        assert (used, torch.get_num_threads()) == (chosen, chosen)
    assert torch.get_num_threads() == before


def test_one_bad_moment_is_enough_to_decline(monkeypatch) -> None:
    times = iter([1.0, 0.5, 1.0, 9.0, 1.0, 0.5])
    monkeypatch.setattr(threads, "_seconds", lambda _: next(times))
    with fitted_threads(2) as used:
        assert used == 1


def test_a_moment_that_was_only_slow_is_looked_at_again(monkeypatch) -> None:
    times = iter([1.0, 0.5, 1.0, 0.9, 1.0, 0.5, *([1.0, 0.5] * 3)])
    monkeypatch.setattr(threads, "_seconds", lambda _: next(times))
    with fitted_threads(2) as used:
        assert used == 2


def test_a_fault_inside_restores_the_number_too() -> None:
    import torch

    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), fitted_threads(before):
        raise RuntimeError
    assert torch.get_num_threads() == before
