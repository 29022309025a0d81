"""The image tower of a model by itself: a copy that may be trained further, or the same network with new weights."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from models.vlp.model import VisionLanguageModel, create

if TYPE_CHECKING:
    from collections.abc import Iterable

Initial = Literal["pretrained", "random"]
"""Weights to begin with: those of the model, or new ones drawn from a seed."""


class ImageEncoder(nn.Module):
    """Whole embeddings as the image tower of a model, for towers that are none of timm's.

    Args:
        module: with ``encode_image``.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, channels, h, w) to (b, d)."""
        return self.module.encode_image(images)  # pyright: ignore[reportCallIssue]


class Classifier(nn.Module):
    """An image tower with a linear layer for each label, on features of mean 0 and deviation 1.

    Args:
        tower: from images to features (b, d), or to maps or tokens, which are averaged.
        width: of these features.
        labels: how many.
    """

    def __init__(self, tower: nn.Module, width: int, labels: int) -> None:
        super().__init__()
        self.tower = tower
        self.norm = nn.BatchNorm1d(width, affine=False)
        self.head = nn.Linear(width, labels)

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, channels, h, w) to logits (b, labels)."""
        return self.head(self.norm(_pooled(self.tower(images))))


def image_tower(model: VisionLanguageModel, initial: Initial = "pretrained", seed: int = 0) -> nn.Module:
    """A copy of the image tower below any projection, on the model's device; the model itself stays as it is.

    Args:
        model: whose tower it is.
        initial: ``random`` gives the weights with which a training of the same architecture would begin.
        seed: of random weights.

    Raises:
        ValueError: random weights are asked for, and open_clip does not know the architecture.
        ModelNotFound: likewise, and its tokenizer is not on this machine.
    """
    module: Any = model.module if initial == "pretrained" else create(model.name, seed, str(model.device)).module
    trunk = getattr(getattr(module, "visual", None), "trunk", None)
    tower = ImageEncoder(copy.deepcopy(module)) if trunk is None else copy.deepcopy(trunk)
    return tower.requires_grad_(True)


def classifier(tower: nn.Module, example: Tensor, labels: int) -> Classifier:
    """`tower` with a linear head drawn from torch's generator.

    Args:
        tower: from `image_tower`.
        example: an image (1, channels, h, w) as the tower reads it, from which the width of its features is found.
        labels: outputs.
    """
    with torch.inference_mode():
        width = _pooled(tower.eval()(example)).shape[1]
    return Classifier(tower, width, labels).to(example.device)


def _pooled(features: Tensor) -> Tensor:
    averaged: Iterable[int] = {2: (), 3: (1,), 4: (2, 3)}[features.ndim]
    return features.mean(dim=tuple(averaged)) if averaged else features
