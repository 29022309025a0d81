"""Which rows a step learns from depends on seed and step alone."""

from __future__ import annotations

import torch

from models.training.rows import drawn_rows


def test_the_same_step_gives_the_same_rows_whatever_came_before() -> None:
    rows = drawn_rows(100, 8, seed=5)
    later = rows(7)
    assert torch.equal(drawn_rows(100, 8, seed=5)(7), later)
    assert not torch.equal(rows(8), later)
    assert not torch.equal(drawn_rows(100, 8, seed=6)(7), later)


def test_rows_without_weight_are_never_drawn() -> None:
    weights = torch.tensor([0.0, 1.0, 1.0])
    drawn = torch.cat([drawn_rows(3, 50, 0, weights)(step) for step in range(4)])
    assert set(drawn.tolist()) == {1, 2}
