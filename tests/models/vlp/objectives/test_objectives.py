"""Objectives by kind: CLIP as open_clip computes it, and one that nobody here knew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional as F

from models.registry import UnknownKind
from models.vlp.model import VisionLanguageModel, create
from models.vlp.objectives import Objective, TrainingBatch, build_objective, objective_problems

if TYPE_CHECKING:
    from torch import Tensor


class PullTogether:
    """A toy: the images of a batch are pulled onto their texts, and nothing is pushed apart."""

    def __init__(self, weight: float = 1.0) -> None:
        self.weight = weight

    def losses(self, model: VisionLanguageModel, batch: TrainingBatch) -> dict[str, Tensor]:
        images = model.module.encode_image(batch.images, normalize=True)
        texts = model.module.encode_text(batch.tokens, normalize=True)
        return {"pull": self.weight * (1 - (images * texts).sum(dim=1)).mean()}


TOY = f"{__name__}:PullTogether"


@pytest.fixture(scope="module")
def model() -> VisionLanguageModel:
    return create(seed=0)


@pytest.fixture(scope="module")
def batch(model: VisionLanguageModel) -> TrainingBatch:
    texts = ("Cardiomegaly.", "Left pleural effusion.", "No acute abnormality.", "Lung nodule.")
    images = torch.randn((4, 1, 96, 96), generator=torch.Generator().manual_seed(0))
    return TrainingBatch(images, model.tokenizer(texts), texts)


def test_clip_is_the_mean_of_both_cross_entropies(model: VisionLanguageModel, batch: TrainingBatch) -> None:
    model.module.eval()
    found = build_objective("clip", {}).losses(model, batch)
    images = model.module.encode_image(batch.images, normalize=True)
    texts = model.module.encode_text(batch.tokens, normalize=True)
    logits = model.module.logit_scale.exp() * images @ texts.T
    own = torch.arange(4)
    assert set(found) == {"contrastive"}
    torch.testing.assert_close(
        found["contrastive"], (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    )
    assert found["contrastive"].requires_grad


def test_an_objective_of_ones_own_is_named_by_module_and_class(
    model: VisionLanguageModel, batch: TrainingBatch
) -> None:
    toy = build_objective(TOY, {"weight": 2.0})
    assert isinstance(toy, Objective)
    assert float(toy.losses(model, batch)["pull"].detach()) > 0


@pytest.mark.parametrize(
    ("kind", "options", "told"),
    [
        ("moco", {}, "unknown kind 'moco'; known: chexzero, clip"),
        ("nowhere:Objective", {}, "unknown kind 'nowhere:Objective'; known: chexzero, clip"),
        (f"{__name__}:Nothing", {}, "unknown kind"),
        (TOY, {"weihgt": 1.0}, "has no option 'weihgt', did you mean 'weight'?"),
        (TOY, {"weight": "much"}, "must be a valid number"),
        ("clip", {"x": 1}, "kind 'clip' has no option 'x'"),
    ],
)
def test_what_is_no_objective_is_told(kind: str, options: dict[str, object], told: str) -> None:
    assert told in "; ".join(objective_problems(kind, options).values())
    with pytest.raises(UnknownKind, match=r"."):
        build_objective(kind, options)
