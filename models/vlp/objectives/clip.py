"""CLIP: the image and the report of a pair must find each other among all of the batch (Radford et al., 2021)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from models.training.distributed import rank, world_size
from models.vlp.library import open_clip
from models.vlp.losses.contrast import MEAN
from models.vlp.losses.convirt import convirt_loss
from models.vlp.losses.same_text import SameText, positives_of
from models.vlp.objectives import TrainingBatch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.vlp.model import VisionLanguageModel

FirstTemperature = Annotated[float, Field(ge=0.01, le=1)]
LargestScale = Annotated[float, Field(ge=1, le=10_000)]


class ClipObjective:
    """The mean of both cross-entropies over cosines times a learnt scale, as open_clip computes it.

    Where several processes train together, each contrasts its part with the whole batch.

    Args:
        temperature: what the learnt one starts from, 1 / scale.
        largest_scale: the learnt scale stays between 1 and this.
        same_text: what pairs with equal texts are to each other.
    """

    def __init__(
        self, temperature: FirstTemperature = 0.07, largest_scale: LargestScale = 100.0,
        same_text: SameText = "negative",
    ) -> None:  # fmt: skip
        self._temperature, self.largest_scale = temperature, largest_scale
        self._same_text: SameText = same_text
        self._loss = open_clip().ClipLoss(gather_with_grad=True, rank=rank(), world_size=world_size())

    def prepare(self, module: nn.Module) -> None:
        """Set what the scale starts from."""
        import torch

        with torch.no_grad():
            module.get_parameter("logit_scale").fill_(math.log(1 / self._temperature))

    def constrain(self, module: nn.Module) -> None:
        """Keep the scale within its bounds."""
        module.get_parameter("logit_scale").clamp_(0, math.log(self.largest_scale))

    def losses(self, model: VisionLanguageModel, batch: TrainingBatch) -> dict[str, Tensor]:
        """``contrastive``, a scalar."""
        return self.feature_losses(model, self.embed(model, batch), batch.texts)

    def embed(self, model: VisionLanguageModel, batch: TrainingBatch) -> tuple[Tensor, Tensor]:
        """The embeddings (b, d) of images and texts, of unit length."""
        module = model.module
        return module.encode_image(batch.images, normalize=True), module.encode_text(batch.tokens, normalize=True)

    def feature_losses(
        self, model: VisionLanguageModel, features: tuple[Tensor, ...], texts: tuple[str, ...], /
    ) -> dict[str, Tensor]:
        """``contrastive`` of what `embed` gives."""
        images, read = features
        scale, positives = model.module.logit_scale.exp(), positives_of(texts, self._same_text, images.device)
        if positives is None:
            return {"contrastive": self._loss(images, read, scale)}
        return {"contrastive": convirt_loss(images, read, 1 / scale, MEAN, positives)}
