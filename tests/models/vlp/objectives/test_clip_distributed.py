"""Two processes contrast their parts with the whole batch: together they learn what one does."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from models.training.distributed import own_rows, rank
from models.training.schedule import Schedule
from models.training.trainer import Trainer, TrainerOptions, TrainingTask
from models.vlp.objectives import TrainingBatch
from models.vlp.objectives.clip import ClipObjective
from tasks.pretrain.parts import loss_in_parts
from tests.gloo import run_in_two_processes


class TwoTowers(nn.Module):
    """The smallest model that the objective can ask."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.text = nn.Linear(9, 4).double(), nn.Linear(5, 4).double()
        self.logit_scale = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))

    def encode_image(self, images: Tensor, normalize: bool) -> Tensor:
        assert normalize
        return nn.functional.normalize(self.image(images.flatten(1)), dim=-1)

    def encode_text(self, tokens: Tensor, normalize: bool) -> Tensor:
        assert normalize
        return nn.functional.normalize(self.text(tokens), dim=-1)


def train(folder: Path) -> dict[str, Tensor]:
    """Train on this process's part of every batch, at once and in parts of 3; the weights are left in `folder`."""
    for name, size in (("parts", 3), ("whole", None)):
        weights = weights_after(size)
        torch.save(weights, folder / f"{name}-{rank()}.pt")
    return weights


def weights_after(micro_batch: int | None) -> dict[str, Tensor]:
    torch.manual_seed(0)
    towers, objective = TwoTowers(), ClipObjective()
    model: Any = SimpleNamespace(module=towers)
    images = torch.randn(32, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    texts = torch.randn(32, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def batch(step: int) -> TrainingBatch:
        first, mine = 8 * (step % 4), own_rows(8)
        one, other = images[first : first + 8][mine], texts[first : first + 8][mine]
        return TrainingBatch(one, other, ("",) * len(one))

    parts = loss_in_parts(objective, model, "clip", micro_batch)
    task = TrainingTask(batch, lambda inputs: objective.losses(model, inputs)["contrastive"], in_parts=parts)
    Trainer(towers, task, Schedule(8, 0.05, warmup=1), TrainerOptions(device="cpu")).run()
    return towers.state_dict()


def test_two_processes_equal_one_on_the_whole_batch(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one = train(tmp_path / "one")
    run_in_two_processes(train, tmp_path)
    for found in ("whole-0", "whole-1", "parts-0", "parts-1", "one/parts-0"):
        two = torch.load(tmp_path / f"{found}.pt", weights_only=True)
        for name, value in one.items():
            assert torch.allclose(two[name], value, rtol=1e-9, atol=1e-12), (found, name)
