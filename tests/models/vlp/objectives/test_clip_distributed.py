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
    torch.manual_seed(0)
    towers, objective = TwoTowers(), ClipObjective()
    model: Any = SimpleNamespace(module=towers)
    images = torch.randn(32, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    texts = torch.randn(32, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))

    def batch(step: int) -> TrainingBatch:
        first, mine = 8 * (step % 4), own_rows(8)
        return TrainingBatch(images[first : first + 8][mine], texts[first : first + 8][mine], ())

    task = TrainingTask(batch, lambda inputs: objective.losses(model, inputs)["contrastive"])
    Trainer(towers, task, Schedule(8, 0.05, warmup=1), TrainerOptions(device="cpu")).run()
    torch.save(towers.state_dict(), folder / f"{rank()}.pt")
    return towers.state_dict()


def test_two_processes_equal_one_on_the_whole_batch(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    one = train(tmp_path / "one")
    run_in_two_processes(train, tmp_path)
    for number in (0, 1):
        two = torch.load(tmp_path / f"{number}.pt", weights_only=True)
        for name, value in one.items():
            assert torch.allclose(two[name], value, rtol=1e-9, atol=1e-12), name
