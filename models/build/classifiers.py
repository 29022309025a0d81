"""Train the two classifiers on hospital A's films alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn import functional as F

from models.build.fit import Run, fit, quick_precision
from models.nets.classifier import NETS, SIZE, film_batch
from models.phantom.vocabulary import LABELS
from models.training.rows import drawn_rows
from models.training.trainer import TrainerOptions, TrainingTask

BATCH = 64
SEEDS = {"agreement": 21, "examiner": 22}


def train_classifier(name: str, images: np.ndarray, targets: np.ndarray, chances: Tensor, run: Run) -> nn.Module:
    """Fit the net called `name`.

    Args:
        images: (n, 128, 128) uint8.
        targets: (n, len(SIDED)) of 0 and 1.
        chances: how likely each film is drawn, (n,).
        run: how long, and where its state is kept.
    """
    torch.manual_seed(SEEDS[name])
    net: Any = NETS[name]()
    net.to(memory_format=torch.channels_last)
    rows = drawn_rows(len(images), BATCH, SEEDS[name], chances)
    answers = torch.from_numpy(targets).float()

    def batch(step: int) -> tuple[Tensor, Tensor]:
        at = rows(step)
        return augmented(film_batch(images[at.numpy()])), answers[at] * 0.96 + 0.02

    def loss(inputs: tuple[Tensor, Tensor]) -> Tensor:
        films, wanted = inputs
        return F.binary_cross_entropy_with_logits(net(films).float(), wanted)

    options = TrainerOptions(seed=SEEDS[name], precision=quick_precision(), average=0.998, weight_decay=0.02)
    return fit(name, net, TrainingTask(batch, loss), run, options)


def augmented(films: Tensor) -> Tensor:
    """The same films as other machines and other hands would take them: (n, 1, H, W) in 0..1, never mirrored."""
    films = _moved(films)
    n = len(films)
    films = films.clamp(1e-3, 1) ** _span(n, -0.45, 0.45).exp()
    if torch.rand(()) < 0.5:
        soft = F.avg_pool2d(F.pad(films, (1, 1, 1, 1), mode="replicate"), 3, 1)
        films = torch.lerp(films, soft, _span(n, -0.4, 1.0))
    films = films * (1 - _span(n, -0.1, 0.25) * _radius(films))
    films = films + torch.randn_like(films) * _span(n, 0.0, 0.035)
    coarse = torch.randn(n, 1, SIZE // 4, SIZE // 4) * _span(n, 0.0, 0.03)
    films = films + F.interpolate(coarse, (SIZE, SIZE), mode="bilinear")
    return _collimated(films)


def _span(n: int, low: float, high: float) -> Tensor:
    return torch.rand(n, 1, 1, 1) * (high - low) + low


def _radius(films: Tensor) -> Tensor:
    steps = torch.linspace(-1, 1, SIZE)
    return ((steps[:, None] ** 2 + steps[None] ** 2) / 2).expand_as(films)


def _moved(films: Tensor) -> Tensor:
    n = len(films)
    angle = (torch.rand(n) - 0.5) * 0.16
    zoom_x, zoom_y = 1 + (torch.rand(2, n) - 0.5) * 0.16
    shift = (torch.rand(n, 2) - 0.5) * 0.14
    cos, sin = angle.cos(), angle.sin()
    turn = torch.stack([cos * zoom_x, -sin * zoom_y, shift[:, 0], sin * zoom_x, cos * zoom_y, shift[:, 1]], 1)
    grid = F.affine_grid(turn.view(n, 2, 3), list(films.shape), align_corners=False)
    return F.grid_sample(films, grid, padding_mode="border", align_corners=False)


def _collimated(films: Tensor) -> Tensor:
    """Half of the films get a black rim of up to seven pixels."""
    steps = torch.arange(SIZE)
    edge = torch.minimum(steps, SIZE - 1 - steps)
    inside = torch.minimum(edge[:, None], edge[None]).expand_as(films)
    rim = torch.where(torch.rand(len(films), 1, 1, 1) < 0.5, _span(len(films), 1, 8), torch.zeros(()))
    return torch.where(inside >= rim.floor(), films, torch.full((), 0.02))


def label_auroc(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """AUROC per label of (n, >= L) scores against (n, L) labels, with their ``macro`` mean; a label seen on no
    film, or on all, is left out.

    Raises:
        ValueError: a label is neither 0 nor 1, or none can be scored.
    """
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"{int((~np.isin(labels, (0, 1))).sum())} labels are neither 0 nor 1")
    found = {
        label: float(roc_auc_score(labels[:, i], scores[:, i]))
        for i, label in enumerate(LABELS)
        if 0 < labels[:, i].sum() < len(labels)
    }
    if not found:
        raise ValueError("no label is present in some films and absent in others")
    return {**found, "macro": float(np.mean(list(found.values())))}
