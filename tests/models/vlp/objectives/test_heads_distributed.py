"""Two processes train a model with heads: both end with the same weights, and no gradient is waited for in vain."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from models.training.distributed import own_rows, rank
from models.training.schedule import Schedule
from models.training.trainer import Trainer, TrainerOptions, TrainingTask
from models.vlp.model import create
from models.vlp.objectives import TrainingBatch, build_objective, preparation

KINDS = ("convirt", "convirt_mgca", "gloria")
OPTIONS = {"same_text": "positive"}
TEXTS = ("Cardiomegaly.", "Left pleural effusion.", "Clear.", "Clear.")


def train(kind: str, folder: Path) -> None:
    """Two steps; the weights are left in `folder`."""
    torch.manual_seed(rank())
    model = create(seed=3, device="cpu", prepare=preparation(kind, OPTIONS))
    objective = build_objective(kind, OPTIONS)
    images = torch.randn((4, 1, 96, 96), generator=torch.Generator().manual_seed(1))

    def batch(_: int) -> TrainingBatch:
        mine = own_rows(4)
        return TrainingBatch(images[mine], model.tokenizer(TEXTS[mine]), TEXTS[mine])

    def loss(inputs: TrainingBatch) -> torch.Tensor:
        return torch.stack(list(objective.losses(model, inputs).values())).sum()

    Trainer(model.module, TrainingTask(batch, loss), Schedule(2, 1e-3, warmup=1), TrainerOptions(device="cpu")).run()
    torch.save(dict(model.module.named_parameters()), folder / f"{kind}-{rank()}.pt")


def in_a_group(number: int, port: int, folder: str, repository: str) -> None:
    sys.path.insert(0, repository)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=number)
    for kind in KINDS:
        train(kind, Path(folder))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    spawn(in_a_group, (port, str(folder), str(Path(__file__).parents[4])), nprocs=2)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_both_processes_end_with_the_same_weights(kind: str, trained: Path) -> None:
    first, second = (torch.load(trained / f"{kind}-{number}.pt", weights_only=True) for number in (0, 1))
    start = dict(create(seed=3, device="cpu", prepare=preparation(kind, OPTIONS)).module.named_parameters())
    assert first.keys() == second.keys() == start.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name
        assert torch.isfinite(weight).all(), name
        assert torch.equal(weight, start[name]) != start[name].requires_grad, name
