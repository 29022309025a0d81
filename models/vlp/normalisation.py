"""The mean and deviation that a published model's images were normalised with, for films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

PHOTOGRAPHS = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
"""Of CLIP's training images: what open_clip and transformers take where a model's files say nothing."""


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Mean and deviation by channel, of values from 0 to 1."""

    mean: tuple[float, ...] = PHOTOGRAPHS[0]
    std: tuple[float, ...] = PHOTOGRAPHS[1]

    def views(self, films: Tensor) -> Tensor:
        """Films (n, h, w) uint8 as (n, channels, h, w) float32: the grey in each channel, normalised by channel."""
        import torch

        mean, std = (torch.tensor(each, device=films.device).view(1, -1, 1, 1) for each in (self.mean, self.std))
        return (films.unsqueeze(1).float() / 255.0 - mean) / std


def normalisation_of(mean: Any, std: Any) -> Normalisation:
    """From what a model's file holds; None for CLIP's own.

    Raises:
        ValueError: they are no lists of three numbers, or a deviation is not above 0.
    """
    return Normalisation(_three(mean, PHOTOGRAPHS[0], "mean"), _three(std, PHOTOGRAPHS[1], "std"))


def _three(value: Any, default: tuple[float, ...], name: str) -> tuple[float, ...]:
    if value is None:
        return default
    numbers = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else ()
    fit = len(numbers) == 3 and all(isinstance(each, int | float) for each in numbers)
    if not fit or (name == "std" and min(numbers) <= 0):
        raise ValueError(f"its {name} is {value!r} and not three numbers{' above 0' if name == 'std' else ''}")
    return tuple(float(each) for each in numbers)
