"""A batch in parts has the loss and the gradients of the whole, for every objective without batch norm."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from models.training.accumulate import CachedBatch
from models.training.errors import CannotAccumulate
from models.vlp.layers import batch_norm_layers
from models.vlp.model import create
from models.vlp.objectives import TrainingBatch, build_objective, preparation, splits_loss
from models.vlp.objectives.clip import ClipObjective
from tasks.pretrain.parts import loss_in_parts
from tests.models.vlp.made_up import LAYER_NORM, SIDE, model_folder

TEXTS = ("Cardiomegaly.", "Left pleural effusion.", "No acute abnormality.", "Lung nodule.", "Lung nodule.")


@pytest.mark.parametrize("same_text", ["negative", "positive"])
@pytest.mark.parametrize("kind", ["clip", "convirt", "gloria"])
def test_loss_and_gradients_are_those_of_the_whole_batch(tmp_path: Path, kind: str, same_text: str) -> None:
    options = {"same_text": same_text}
    model = create(model_folder(tmp_path, LAYER_NORM), seed=0, prepare=preparation(kind, options))
    objective = build_objective(kind, options)
    model.module.double().train()
    images = torch.randn((5, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0)).double()
    batch = TrainingBatch(images, model.tokenizer(TEXTS), TEXTS)
    whole = torch.stack(list(objective.losses(model, batch).values())).sum()
    whole.backward()
    wanted = {name: weight.grad for name, weight in model.module.named_parameters()}
    model.module.zero_grad()
    task = loss_in_parts(objective, model, kind, 2)
    assert task is not None
    parts = CachedBatch(task, batch, torch.device("cpu"), nullcontext)
    found = parts.loss()
    found.backward()
    parts.backward_through_towers()
    torch.testing.assert_close(found, whole, rtol=1e-9, atol=1e-9)
    for name, weight in model.module.named_parameters():
        assert (weight.grad is None) == (wanted[name] is None), name
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad, wanted[name], rtol=1e-9, atol=1e-9, msg=name)


class Other(ClipObjective):
    """Minimises something else than the parts that it inherits."""

    def losses(self, model, batch):
        return super().losses(model, batch)


def test_an_objective_that_does_not_split_is_refused_by_its_name() -> None:
    kind = f"{__name__}:Other"
    assert not splits_loss(kind)
    assert splits_loss("chexzero")
    with pytest.raises(CannotAccumulate, match=r"objective .*:Other cannot be computed on parts of a batch"):
        loss_in_parts(Other(), create(), kind, 2)


def test_layers_of_batch_norm_are_known_from_a_models_name(tmp_path: Path) -> None:
    assert batch_norm_layers("synthcxr-tiny")[0] == "visual.trunk.conv1.1"
    assert batch_norm_layers(model_folder(tmp_path, LAYER_NORM)) == []
    heads = batch_norm_layers(model_folder(tmp_path, LAYER_NORM), preparation("convirt_mgca", {}))
    assert heads == ["heads.image.1", "heads.image.4", "heads.text.1", "heads.text.4"]
