"""A network learns with the rate that is best on validation, the same each time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.training.errors import LossNotFinite
from models.vlp.finetuning import Fitting, Learning, fit, label_loss

INPUTS = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
WANTED = INPUTS @ torch.tensor([1.0, -2.0, 0.5])


def squared(net: nn.Module, films: np.ndarray) -> Tensor:
    return ((net(INPUTS[films])[:, 0] - WANTED[films]) ** 2).mean()


def learning(quality: dict[float, float] | None = None) -> Learning:
    """Of a linear map; its quality is how little it misses, or 0 at once."""
    every = np.arange(len(INPUTS))
    return Learning(
        net=lambda: nn.Linear(3, 1),
        loss=squared,
        quality=lambda net: -squared(net, every).item() if quality is None else 0.0,
        films=len(INPUTS),
    )


def test_the_rate_that_is_best_on_validation_is_taken_and_the_first_of_level_ones() -> None:
    slow, fast = (fit(learning(), Fitting(60, 8, (rate,), 0), "cpu").state_dict() for rate in (1e-4, 0.3))
    best = fit(learning(), Fitting(60, 8, (1e-4, 0.3), 0), "cpu").state_dict()
    assert torch.equal(best["weight"], fast["weight"])
    level = fit(learning(quality={}), Fitting(60, 8, (1e-4, 0.3), 0), "cpu").state_dict()
    assert torch.equal(level["weight"], slow["weight"])


def test_it_is_a_function_of_the_seed_and_draws_nothing_from_the_callers_generator() -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first, again, other = (fit(learning(), Fitting(5, 8, (0.1,), seed), "cpu").state_dict() for seed in (0, 0, 1))
    assert torch.equal(first["weight"], again["weight"])
    assert not torch.equal(first["weight"], other["weight"])
    assert torch.equal(torch.get_rng_state(), state)


def test_a_rate_whose_loss_is_not_finite_is_passed_over_unless_it_is_the_last() -> None:
    def largest(net: nn.Module) -> float:
        return max(float(each.detach().abs().max()) for each in net.parameters())

    def bursts(net: nn.Module, films: np.ndarray) -> Tensor:
        return squared(net, films) / (largest(net) < 5)

    odd = Learning(lambda: nn.Linear(3, 1), bursts, lambda _: 0.0, len(INPUTS))
    assert largest(fit(odd, Fitting(40, 8, (100.0, 1e-3), 0), "cpu")) < 5
    with pytest.raises(LossNotFinite):
        fit(odd, Fitting(40, 8, (100.0,), 0), "cpu")


def test_labels_that_are_neither_0_nor_1_have_no_part_in_the_loss() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    loss = label_loss(logits, np.array([[1.0, -1.0], [np.nan, 0.0]]))
    assert loss.item() == pytest.approx((np.log1p(np.exp(-2)) + np.log1p(np.exp(3))) / 2)
    loss.backward()
    assert logits.grad is not None
    assert (logits.grad != 0).tolist() == [[True, False], [False, True]]
    assert label_loss(logits, np.full((2, 2), np.nan)).item() == 0
