"""Train a network that starts from an image tower, with the learning rate that is best on validation films."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.training.errors import LossNotFinite
from models.training.rows import drawn_rows
from models.training.schedule import Schedule
from models.training.trainer import Trainer, TrainerOptions, TrainingTask
from models.vlp.model import VisionLanguageModel

_AT_ONCE = 32
"""Films that are predicted at once."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """How long and how fast a network learns.

    Args:
        steps: of the optimiser.
        batch: films of a step.
        rates: highest learning rates that are tried, each with all the steps.
        seed: of the order of films and of new layers.
    """

    steps: int
    batch: int
    rates: tuple[float, ...]
    seed: int


@dataclass(frozen=True, slots=True)
class Learning:
    """What is learnt.

    Args:
        net: makes the network to begin with; new weights come from torch's generator.
        loss: of a network on training films by number, a scalar.
        quality: of a trained network on the validation films, higher is better.
        films: how many training films there are.
    """

    net: Callable[[], nn.Module]
    loss: Callable[[nn.Module, np.ndarray], Tensor]
    quality: Callable[[nn.Module], float]
    films: int


def fit(learning: Learning, fitting: Fitting, device: str) -> nn.Module:
    """The network trained with the rate that is best on the validation films, the first of several that are level.

    AdamW, a warm-up over a tenth of the steps, then half a cosine to zero. A rate whose loss stops being finite is
    passed over. At most two networks are in memory.

    Raises:
        LossNotFinite: no rate keeps the loss finite.
    """
    best: tuple[float, nn.Module] | None = None
    failed: LossNotFinite | None = None
    for rate in fitting.rates:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(fitting.seed)
            net = learning.net()
        try:
            _train(net, rate, learning, fitting, device)
        except LossNotFinite as error:
            failed = error
            continue
        reached = learning.quality(net)
        if best is None or reached > best[0]:
            best = reached, net
    if best is None:
        raise failed or ValueError("no learning rate is given")
    return best[1]


def _train(net: nn.Module, rate: float, learning: Learning, fitting: Fitting, device: str) -> None:
    rows = drawn_rows(learning.films, fitting.batch, fitting.seed)
    task = TrainingTask(lambda step: rows(step).numpy(), lambda films: learning.loss(net, films))
    schedule = Schedule(fitting.steps, rate, warmup=max(1, fitting.steps // 10))
    options = TrainerOptions(seed=fitting.seed, device=device, decay_vectors=False, save_seconds=None)
    Trainer(net, task, schedule, options).run()


def outputs(net: nn.Module, model: VisionLanguageModel, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """What `net` makes of films, in order, some at a time, as float32.

    Args:
        net: in whatever mode; it is left in evaluation mode.
        model: that prepares the films.
        blocks: films (n, size, size) uint8 at the model's size.
    """
    net.eval()
    for block in blocks:
        for at in range(0, len(block), _AT_ONCE):
            with torch.inference_mode():
                yield net(views(model, block[at : at + _AT_ONCE])).float().cpu().numpy()


def views(model: VisionLanguageModel, films: np.ndarray) -> Tensor:
    """Films (n, size, size) uint8 as the image tower of `model` reads them, on its device."""
    return model.views(torch.from_numpy(np.ascontiguousarray(films)).to(model.device))


def label_loss(logits: Tensor, labels: np.ndarray) -> Tensor:
    """The mean binary cross-entropy over the labels that are 0 or 1; 0 where there are none.

    Args:
        logits: (films, labels).
        labels: of the same shape; anything but 0 and 1, such as -1 and NaN, has no part in it.
    """
    known = np.isin(labels, (0, 1))
    counted = torch.from_numpy(known).to(logits.device, logits.dtype)
    wanted = torch.from_numpy(np.where(known, labels, 0)).to(logits.device, logits.dtype)
    each = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    return (each * counted).sum() / counted.sum().clamp_min(1)
