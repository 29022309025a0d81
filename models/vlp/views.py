"""Turn stored films into what the image tower sees: the plain view, and the varied views of training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Generator, Tensor


@dataclass(frozen=True, slots=True)
class Variation:
    """How far a training view may stray. No flips: left and right are part of the report.

    Args:
        shift: share of the film's side.
        zoom: relative change of scale.
        turn: degrees.
        gamma: largest exponent; its reciprocal is the smallest.
        noise: standard deviation of grain, share of the grey range.
        blur: how often a view is softened.
    """

    shift: float = 0.06
    zoom: float = 0.08
    turn: float = 5.0
    gamma: float = 1.6
    noise: float = 0.04
    blur: float = 0.5


def fit_film(film: np.ndarray, size: int) -> np.ndarray:
    """A film (h, w) uint8 at the model's size, (size, size) uint8; a film that is not square is squeezed."""
    import cv2

    if film.shape == (size, size):
        return film
    shrinks = min(film.shape) >= size
    return np.asarray(cv2.resize(film, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC))


def plain_view(films: Tensor) -> Tensor:
    """Films (n, h, w) uint8 as (n, 1, h, w) float32, each with mean 0 and deviation 1.

    Every film is standardised by itself, since exposure is the machine's doing and not the patient's.
    """
    return _standardise(films.unsqueeze(1).float() / 255.0)


def varied_view(
    films: Tensor, generator: Generator, variation: Variation = Variation(), rows: slice | None = None,
    batch: int | None = None,
) -> Tensor:  # fmt: skip
    """A random training view of each film, (n, h, w) uint8 to (n, 1, h, w) float32.

    `generator`, which is one of the CPU, decides alone; what it draws is moved to the films' device.

    Args:
        films: to draw views of.
        generator: what is random.
        variation: how far a view may stray.
        rows: which of a batch the films are, where they are some of its rows: each gets the view that it has when
            the views of the whole batch are drawn.
        batch: films in that batch.
    """
    import torch
    from torch.nn import functional as F

    n, mine = len(films), rows or slice(None)
    drawn = batch or n
    grey = films.unsqueeze(1).float() / 255.0
    draw = torch.rand((8, drawn), generator=generator)[:, mine].to(films.device) * 2 - 1
    angle = torch.deg2rad(draw[0] * variation.turn)
    zoom = 1 + draw[1] * variation.zoom
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    move_x, move_y = draw[2] * 2 * variation.shift, draw[3] * 2 * variation.shift
    theta = torch.stack([torch.stack([cos, -sin, move_x], 1), torch.stack([sin, cos, move_y], 1)], 1)
    grid = F.affine_grid(theta, list(grey.shape), align_corners=False)
    grey = F.grid_sample(grey, grid, padding_mode="border", align_corners=False)
    exponent = torch.exp(draw[4] * float(np.log(variation.gamma))).view(n, 1, 1, 1)
    grey = grey.clamp_min(1e-4) ** exponent
    soft = F.avg_pool2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    share = (draw[5].abs() * (draw[6] * 0.5 + 0.5 < variation.blur)).view(n, 1, 1, 1)
    grey = grey + share * (soft - grey)
    grain = torch.randn((drawn, *grey.shape[1:]), generator=generator)[mine].to(films.device)
    grain = grain * (draw[7].abs() * variation.noise).view(n, 1, 1, 1)
    return _standardise(grey + grain)


def _standardise(grey: Tensor) -> Tensor:
    mean = grey.mean(dim=(1, 2, 3), keepdim=True)
    deviation = grey.std(dim=(1, 2, 3), keepdim=True)
    return (grey - mean) / (deviation + 1e-3)
