"""CLIP: the image and the report of a pair must find each other among all of the batch (Radford et al., 2021)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.training.distributed import rank, world_size
from models.vlp.library import open_clip
from models.vlp.objectives import TrainingBatch

if TYPE_CHECKING:
    from torch import Tensor

    from models.vlp.model import VisionLanguageModel


class ClipObjective:
    """The mean of both cross-entropies over cosines times the model's temperature, as open_clip computes it.

    Where several processes train together, each contrasts its part with the whole batch.
    """

    def __init__(self) -> None:
        self._loss = open_clip().ClipLoss(gather_with_grad=True, rank=rank(), world_size=world_size())

    def losses(self, model: VisionLanguageModel, batch: TrainingBatch) -> dict[str, Tensor]:
        """``contrastive``, a scalar."""
        module = model.module
        images = module.encode_image(batch.images, normalize=True)
        texts = module.encode_text(batch.tokens, normalize=True)
        return {"contrastive": self._loss(images, texts, module.logit_scale.exp())}
