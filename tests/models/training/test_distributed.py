"""Two processes train as one does on both parts of the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.training.distributed import barrier, join_ranks, mean_over_ranks, own_rows, rank, world_size
from models.training.rows import drawn_rows
from models.training.schedule import Schedule
from models.training.state import FileState
from models.training.trainer import Trainer, TrainerOptions, TrainingTask
from tests.gloo import run_in_two_processes

ROWS = torch.randn(64, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def train(folder: Path) -> dict[str, Tensor]:
    """Train on this process's part of batches of 8; weights and losses are left in `folder`."""
    torch.manual_seed(rank())  # other first weights in each process: those of the first must win
    net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 1)).double()
    rows, losses = drawn_rows(len(ROWS), 8 // world_size(), seed=9), list[float]()

    def loss(x: Tensor) -> Tensor:
        return (net(x).squeeze(1) - x.sum(1)).square().mean()

    options = TrainerOptions(device="cpu", average=0.9, clip_norm=0.5, save_steps=4)
    trainer = Trainer(
        net, TrainingTask(lambda step: ROWS[rows(step)], loss), Schedule(10, 0.05, warmup=2), options,
        states=FileState(folder / "state.pt"), on_step=lambda _, loss, __: losses.append(loss),
    )  # fmt: skip
    trainer.run()
    barrier()
    left = {**net.state_dict(), "losses": torch.tensor(losses, dtype=torch.float64)}
    torch.save(left, folder / f"rank-{rank()}.pt")
    return left


def test_two_gloo_processes_equal_one_on_the_concatenated_batch(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one = train(tmp_path / "one")
    run_in_two_processes(train, tmp_path / "two")
    first, second = (torch.load(tmp_path / "two" / f"rank-{n}.pt", weights_only=True) for n in (0, 1))
    assert len(first["losses"]) == 10
    assert len(second["losses"]) == 0, "only the first process reports its losses"
    for name, value in one.items():
        assert torch.allclose(first[name], value, rtol=1e-9, atol=1e-12), name
        assert name == "losses" or torch.equal(first[name], second[name]), name


def test_alone_everything_is_the_first_and_only_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(dist, "is_initialized", lambda: False)  # an engine of another test may have left its group
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **__: pytest.fail("there is nothing to join"))
    join_ranks()
    barrier()
    assert (rank(), world_size()) == (0, 1)
    assert own_rows(7) == slice(0, 7)
    assert mean_over_ranks((1.5, 2.0), torch.device("cpu")) == (1.5, 2.0)


def test_a_batch_is_shared_in_equal_parts_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.distributed.world_size", lambda: 3)
    monkeypatch.setattr("models.training.distributed.rank", lambda: 1)
    assert own_rows(9) == slice(3, 6)
    with pytest.raises(ValueError, match="a batch of 8 cannot be shared by 3 processes"):
        own_rows(8)
