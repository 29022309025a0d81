"""A batch in parts: dropout is the same both times, and what cannot be computed in parts is refused."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from models.training.accumulate import CachedBatch, FeatureLoss
from models.training.errors import CannotAccumulate
from models.training.schedule import Schedule
from models.training.trainer import Trainer, TrainerOptions, TrainingTask

ROWS = torch.randn((10, 6), generator=torch.Generator().manual_seed(0))


def net_of(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 8), *middle, nn.Linear(8, 3))


def in_parts(net: nn.Module) -> FeatureLoss:
    """A loss in which every row counts with every other, in parts of 4, 4 and 2."""

    def embed(rows: Tensor) -> tuple[Tensor, Tensor]:
        return net(rows), torch.arange(len(rows))

    def loss(_: Tensor, features: tuple[Tensor, ...]) -> Tensor:
        return (features[0] @ features[0].T).logsumexp(dim=1).mean()

    return FeatureLoss(lambda rows: rows.split(4), embed, loss)


def test_dropout_is_the_same_when_a_part_is_embedded_again() -> None:
    net = net_of(nn.Dropout(0.5))
    task = in_parts(net)
    torch.manual_seed(5)
    whole = torch.cat([net(part) for part in ROWS.split(4)])
    expected = task.loss(ROWS, (whole,))
    expected.backward()
    wanted = [weight.grad for weight in net.parameters()]
    net.zero_grad()
    torch.manual_seed(5)
    batch = CachedBatch(task, ROWS, torch.device("cpu"), nullcontext)
    found = batch.loss()
    assert torch.equal(found, expected)
    assert net[0].weight.grad is None
    found.backward()
    batch.backward_through_towers()
    for weight, gradient in zip(net.parameters(), wanted, strict=True):
        assert gradient is not None
        torch.testing.assert_close(weight.grad, gradient, rtol=0, atol=1e-6)


def test_live_batch_norm_is_refused_by_its_name_before_any_step() -> None:
    net = net_of(nn.BatchNorm1d(8))
    task = TrainingTask(lambda _: ROWS, lambda rows: net(rows).sum(), in_parts=in_parts(net))
    trainer = Trainer(net, task, Schedule(1, 1e-3), TrainerOptions(device="cpu"))
    with pytest.raises(CannotAccumulate, match="layer 1 is batch norm and sees the parts of a batch"):
        trainer.run()
    assert trainer.step == 0
