"""The default film judge: a small network that tells a good film from nineteen planted defects.

It learnt on films of hospital A in many guises (`models.build.defects`); its layer before the last is the
default image embedding of `models.encoders.image`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.build.planted_defects import PLANTED
from models.contracts import GateScore
from models.gates.film.view import FilmBatch, FilmGate
from models.nets.classifier import SIZE
from models.nets.shipped import SHIPPED, net_facts, save_net
from models.typed import AnyPath, Count

NAME = "defects"
WIDTH = 64  # of the embedding
CLASSES: tuple[str, ...] = ("good", *(kind for kind in PLANTED if kind != "nan"))  # NaN needs no network
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
        ValueError: it tells other defects apart than this version does.
    """
    from safetensors.torch import load

    if net_facts(NAME, folder, REMEDY)["classes"] != list(CLASSES):
        raise ValueError(f"{folder / NAME}.json knows other defects than this version; {REMEDY}")
    weights = (folder / f"{NAME}.safetensors").read_bytes()
    net = DefectNet()
    net.load_state_dict(load(weights))
    return net.eval(), f"{NAME}@{hashlib.sha256(weights).hexdigest()[:12]}"


class FilmDefects(FilmGate):
    """How surely a film is none of the planted defects, 0..1; the likeliest defect is named.

    Args:
        folder: where ``defects.safetensors`` and ``defects.json`` lie.
        batch: films at a time.
    """

    name = "film_defects"

    def __init__(self, folder: AnyPath = SHIPPED, batch: Count = 64) -> None:
        self._folder, self._batch = Path(folder), batch

    @cached_property
    def _net(self) -> tuple[DefectNet, str]:
        return load_defect_net(self._folder)

    @torch.inference_mode()
    def judge(self, films: FilmBatch) -> list[GateScore]:
        """See the class. Leaves the features, from which the default bad bank goes on."""
        net, revision = self._net
        starts = range(0, len(films.raw), self._batch)
        parts = [net.embed(films_to_tensor(films.raw[at : at + self._batch])) for at in starts]
        if not parts:
            return []
        features = torch.cat(parts)
        films.features[revision] = features.numpy()
        scores: list[GateScore] = []
        for chances in F.softmax(net.head(features).double(), 1).tolist():
            worst = max(range(1, len(CLASSES)), key=lambda place: chances[place])
            reason = f"likest a film that is {CLASSES[worst]} ({chances[worst]:.2f})"
            scores.append(GateScore(self.name, chances[0], reason, revision))
        return scores
