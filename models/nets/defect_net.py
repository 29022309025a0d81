"""A small network that classifies a film as good or as one of nineteen planted defects.

It was trained on augmented films of hospital A (`models.build.defects`). The gate `film_defects` uses it; its layer
before the last is the default image embedding of `models.encoders.image`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from models.nets.classifier import SIZE
from models.nets.shipped import SHIPPED, net_facts, save_net

NAME = "defects"
WIDTH = 64  # of the embedding
CLASSES: tuple[str, ...] = (
    "good", "blank", "flat", "clipped", "inverted", "blurred", "noise", "rotated", "border", "burned_text", "one_lung",
    "lateral", "underexposed", "overexposed", "cropped", "double_exposure", "stripes", "mosaic", "missing_part",
    "not_a_chest",
)  # fmt: skip
"""Its classes, in the order of its outputs: a good film, and the planted defects but NaN, which needs no network."""
REMEDY = "it is part of the repository: check it out again, or run `python -m models.build.defects`"


class DefectNet(nn.Module):
    """Convolutions over the film as it is and over the film at zero mean and unit spread."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _step(2, 16), _step(16, 32), _step(32, 48), _step(48, 64), nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU()
        )
        self.neck = nn.Sequential(nn.Linear(128, WIDTH), nn.ReLU())
        self.head = nn.Linear(WIDTH, len(CLASSES))

    def embed(self, films: Tensor) -> Tensor:
        """Features (n, WIDTH), none negative, of films (n, 1, 128, 128) in 0..1."""
        spread = films.std((2, 3), keepdim=True) + 0.004
        maps = self.body(torch.cat([2 * films - 1, (films - films.mean((2, 3), keepdim=True)) / spread], 1))
        return self.neck(torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))

    def forward(self, films: Tensor) -> Tensor:
        """Logits (n, len(CLASSES))."""
        return self.head(self.embed(films))


def _step(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def films_to_tensor(images: Sequence[np.ndarray]) -> Tensor:
    """Films (n, 1, 128, 128) in 0..1 from grey films of any sizes; what is no number becomes black."""
    rows = np.empty((len(images), 1, SIZE, SIZE), np.float32)
    for row, image in zip(rows, images, strict=True):
        film = np.nan_to_num(np.asarray(image, np.float32), nan=0, posinf=0, neginf=0)
        row[0] = film if film.shape == (SIZE, SIZE) else cv2.resize(film, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(rows) / 255


def save_defect_net(net: DefectNet, folder: Path, facts: dict[str, Any]) -> None:
    """Write ``defects.safetensors`` and ``defects.json`` under `folder`."""
    save_net(net, NAME, folder, {"classes": list(CLASSES), **facts})


def load_defect_net(folder: Path = SHIPPED) -> tuple[DefectNet, str]:
    """The network and its revision (first digits of the SHA-256 of its weights).

    Raises:
        ModelNotFound: one of its two files is missing.
        ValueError: its classes are not those of this version.
    """
    from safetensors.torch import load

    if net_facts(NAME, folder, REMEDY)["classes"] != list(CLASSES):
        raise ValueError(f"{folder / NAME}.json knows other defects than this version; {REMEDY}")
    weights = (folder / f"{NAME}.safetensors").read_bytes()
    net = DefectNet()
    net.load_state_dict(load(weights))
    return net.eval(), f"{NAME}@{hashlib.sha256(weights).hexdigest()[:12]}"
