"""Activations that are computed anew change neither loss, nor gradients, nor statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from models.training.errors import NoCheckpointing
from models.training.schedule import Schedule
from models.training.trainer import Trainer, TrainerOptions, TrainingTask
from models.vlp.checkpointing import checkpoint_activations
from models.vlp.model import VisionLanguageModel, create
from models.vlp.objectives import TrainingBatch, build_objective, preparation
from models.vlp.text_tower import TextTower
from tests.models.vlp.made_up import RESIDUAL, SIDE, TIMM, TRANSFORMER, model_folder, tiny_bert

TEXTS = ("Cardiomegaly.", "Left pleural effusion.", "No effusions.")


def batch_for(model: VisionLanguageModel) -> TrainingBatch:
    images = torch.randn((3, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    return TrainingBatch(images, model.tokenizer(TEXTS), TEXTS)


def calls_of(count: list[str], module: Any) -> None:
    """Note each time that a block of the towers is computed."""
    for name, layer in module.named_modules():
        if name.endswith(("resblocks.0", "layer1.0", "encoder.layer.0")):
            layer.register_forward_pre_hook(lambda *_, name=name: count.append(name))


def trained(model: VisionLanguageModel, kind: str, anew: bool) -> tuple[list[float], list[str]]:
    """The losses of two steps, and which blocks were computed."""
    objective, calls = build_objective(kind, {}), list[str]()
    if anew:
        checkpoint_activations(model.module)
    calls_of(calls, model.module)

    def loss(batch: TrainingBatch) -> torch.Tensor:
        return torch.stack(list(objective.losses(model, batch).values())).sum()

    task = TrainingTask(lambda _: batch_for(model), loss)
    options = TrainerOptions(device="cpu", recomputes=anew)
    trainer = Trainer(model.module, task, Schedule(2, 1e-3, warmup=1), options)
    trainer.run()
    return trainer.losses, calls


@pytest.mark.parametrize(
    ("config", "kind", "bert", "blocks"),
    [(TIMM, "gloria", True, 2), (TIMM, "clip", False, 2), (TRANSFORMER, "clip", False, 2)],
    ids=["timm and bert", "timm", "transformer"],
)
def test_losses_weights_and_statistics_are_those_without(
    tmp_path: Path, config: dict[str, Any], kind: str, bert: bool, blocks: int
) -> None:
    tower = None
    if bert:
        tiny_bert(tmp_path / "bert")
        tower = TextTower(path=str(tmp_path / "bert"), context=12, frozen=False)
    name = model_folder(tmp_path / "model", config)
    one, other = (create(name, 0, prepare=preparation(kind, {}), text_tower=tower) for _ in range(2))
    losses, calls = trained(one, kind, anew=False)
    again, twice = trained(other, kind, anew=True)
    assert again == pytest.approx(losses, rel=1e-5)
    assert len(set(calls)) == blocks
    assert {block: twice.count(block) for block in calls} == {block: 2 * calls.count(block) for block in calls}
    state = other.module.state_dict()
    for key, value in one.module.state_dict().items():
        torch.testing.assert_close(state[key], value, rtol=1e-5, atol=1e-5, msg=key)


def test_a_tower_that_cannot_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoCheckpointing, match="the image tower ModifiedResNet cannot compute its activations anew"):
        checkpoint_activations(create(model_folder(tmp_path, RESIDUAL)).module)
