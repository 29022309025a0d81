"""A U-Net on the image tower of a model: decoder and head of segmentation_models_pytorch over the tower's stages."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.compat import torchvision_ready
from models.vlp.features import NoFeatures

WIDTHS = (256, 128, 64, 32, 16)
"""Most channels of the decoder's blocks, from the coarsest, as segmentation_models_pytorch has them."""

_IGNORED = -100
"""Target of the pixels that have no part in a loss."""


class TowerStages(nn.Module):
    """The maps of an image tower of timm by stage.

    Args:
        trunk: the tower; what it has behind its last stage stays unused.

    Raises:
        NoFeatures: it has no stages of falling resolution.
    """

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.widths = _stage_widths(trunk)
        self.trunk = trunk

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (b, channels, h, w) to the map (b, c, h', w') of each stage, the finest first."""
        trunk: Any = self.trunk
        return trunk.forward_intermediates(images, intermediates_only=True)


class UNet(nn.Module):
    """A U-Net for areas that may overlap.

    Each block of the decoder enlarges by nearest neighbours and joins the map of the next finer stage. It is as wide
    as segmentation_models_pytorch's, but not wider than the map that joins.

    Args:
        trunk: image tower of timm, which becomes the encoder.
        areas: how many outputs.

    Raises:
        NoFeatures: the tower has no stages of falling resolution.
    """

    def __init__(self, trunk: nn.Module, areas: int) -> None:
        super().__init__()
        torchvision_ready()
        from segmentation_models_pytorch.base import SegmentationHead
        from segmentation_models_pytorch.base.initialization import initialize_decoder, initialize_head
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

        self.encoder = TowerStages(trunk)
        widths = self.encoder.widths
        joined = (*reversed(widths[:-1]), widths[0])
        blocks = tuple(map(min, WIDTHS[-len(widths) :], joined))
        self.decoder = UnetDecoder((1, *widths), blocks, n_blocks=len(blocks))
        self.head = SegmentationHead(blocks[-1], areas)
        initialize_decoder(self.decoder)
        initialize_head(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, channels, h, w) to logits (b, areas, h, w)."""
        return self.head(self.decoder([images, *self.encoder(images)]))


class AreaLoss:
    """Dice and cross-entropy by pixel, summed, as segmentation_models_pytorch has them."""

    def __init__(self) -> None:
        torchvision_ready()
        from segmentation_models_pytorch.losses import DiceLoss, SoftBCEWithLogitsLoss

        self._parts = (DiceLoss("multilabel", ignore_index=_IGNORED), SoftBCEWithLogitsLoss(ignore_index=_IGNORED))

    def __call__(self, logits: Tensor, areas: np.ndarray, known: np.ndarray) -> Tensor:
        """A scalar from logits (films, areas, h, w).

        Args:
            logits: of a `UNet`.
            areas: bool of the same shape.
            known: (films, areas) bool; an area that is not known has no part in it.
        """
        wanted = np.where(known[:, :, None, None], areas, _IGNORED).astype(np.float32)
        target = torch.from_numpy(wanted).to(logits.device)
        dice, entropy = (part(logits, target) for part in self._parts)
        return dice + entropy


def _stage_widths(trunk: Any) -> tuple[int, ...]:
    """Channels of the stages, the finest first."""
    stages = getattr(trunk, "feature_info", None)
    strides = [int(stage["reduction"]) for stage in stages or ()]
    if (
        stages is None
        or not hasattr(trunk, "forward_intermediates")
        or len(strides) < 2
        or strides != sorted(set(strides))
    ):
        raise NoFeatures(
            f"the image tower {type(trunk).__name__} has no stages of falling resolution, which a U-Net needs: take a "
            "residual network of timm, such as synthcxr-resnet50"
        )
    return tuple(int(stage["num_chs"]) for stage in stages)
