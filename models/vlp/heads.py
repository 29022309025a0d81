"""Layers that an objective puts on the towers, in place of open_clip's projections.

They are a child of the open_clip module, named ``heads``, so that trainer, checkpoint and device treat them as part of
the model. The layers that they replace stay in the module, frozen and unused.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor, nn

NAME = "heads"
PrepareModel = Callable[[nn.Module], None]
"""Makes a fresh open_clip model one for an objective: adds heads, sets what a weight starts from."""


class Heads(nn.Module, ABC):
    """From towers to the embeddings that images and texts are compared by."""

    width: int
    """Of the embeddings."""

    @abstractmethod
    def embed_images(self, module: nn.Module, images: Tensor) -> Tensor:
        """Images (b, channels, h, w) float32 to (b, width), of any length."""

    @abstractmethod
    def embed_regions(self, module: nn.Module, images: Tensor) -> Tensor:
        """Images (b, channels, h, w) to embeddings (b, height, width, `width`) of their places, of any length."""

    @abstractmethod
    def embed_texts(self, module: nn.Module, ids: Tensor, words: Tensor) -> Tensor:
        """Token ids (b, l), and the word of each token (`models.vlp.features.TextFeatures`), to (b, width)."""


def attach_heads(module: nn.Module, heads: Heads) -> None:
    """Make `heads` part of an open_clip model, and freeze what they replace: both projections and the temperature."""
    replaced = [name for name, _ in module.named_parameters() if _replaced(name)]
    for name in replaced:
        module.get_parameter(name).requires_grad_(False)
    module.add_module(NAME, heads)


def heads_of(module: nn.Module) -> Heads | None:
    """The heads of an open_clip model, or None where it embeds by its own projections."""
    found = getattr(module, NAME, None)
    return found if isinstance(found, Heads) else None


def _replaced(name: str) -> bool:
    return name.startswith(("visual.head.", "text.text_projection")) or name in ("logit_scale", "logit_bias")
