"""Describe the small image tower to timm: a narrow residual network over grey films."""

from __future__ import annotations

from typing import Any

import torch
from timm.models import register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import nn

CHANNELS = (16, 32, 64, 128)
STEM = 8


class FilmResNet(ResNet):
    """A ten-layer ResNet for (n, 1, h, w) films with two coordinate channels as further input.

    Two fixed maps, across and down in -1..1, join the film as channels: chest findings are named by side and
    zone, and a narrow network with few films to learn from would spend its capacity on finding out where it is.
    """

    film_channels = 1

    def __init__(self, channels: tuple[int, ...] = CHANNELS, stem: int = STEM, **options: Any) -> None:
        super().__init__(
            BasicBlock,  # pyright: ignore[reportArgumentType]
            (1, 1, 1, 1),
            in_chans=3,
            channels=channels,
            stem_type="deep",
            stem_width=stem,
            avg_down=True,
            **options,
        )
        self.default_cfg = {"pool_size": (3, 3)}

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Pool as timm does, then centre and scale what comes out.

        Averages of rectified features point all the same way (measured cosine between films of a fresh tower:
        0.999); without the norm a short training spends itself on undoing that.
        """
        super().reset_classifier(num_classes, global_pool)
        self.global_pool = nn.Sequential(self.global_pool, nn.BatchNorm1d(int(self.num_features)))

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Feature maps of films (n, 1, h, w)."""
        return super().forward_features(self._with_places(x))

    def forward_intermediates(self, x: torch.Tensor, *args: Any, **options: Any) -> Any:
        """What timm gives of films (n, 1, h, w): the last map, and those of the stages that are asked for."""
        return super().forward_intermediates(self._with_places(x), *args, **options)

    @staticmethod
    def _with_places(x: torch.Tensor) -> torch.Tensor:
        n, _, height, width = x.shape
        down = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device).view(1, 1, height, 1)
        across = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device).view(1, 1, 1, width)
        maps = [x, down.expand(n, 1, height, width), across.expand(n, 1, height, width)]
        return torch.cat(maps, dim=1).contiguous(memory_format=torch.channels_last)


@register_model
def synthcxr_film_resnet(pretrained: bool = False, **options: Any) -> FilmResNet:
    """The image tower of ``synthcxr-tiny``; there are no pretrained weights to ask for."""
    if pretrained:
        raise ValueError("synthcxr_film_resnet has no pretrained weights: set timm_model_pretrained to false")
    known = {key: value for key, value in options.items() if key in ("num_classes", "global_pool", "drop_path_rate")}
    return FilmResNet(**known)
