"""What the tasks that train a network share: the films it learns from, and the training."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.finetune.options import Initial
from tasks.evaluate.labelled_set import LabelledSet
from tasks.evaluate.labels import CannotScore

if TYPE_CHECKING:
    from torch import nn

    from models.vlp.finetuning import Fitting, Learning
    from models.vlp.model import VisionLanguageModel

_IN_MEMORY = 1 << 30
"""Bytes of films that are held in memory; more are in a temporary file."""


def fitted(learning: Learning, fitting: Fitting, model: VisionLanguageModel) -> nn.Module:
    """`models.vlp.finetuning.fit` where the model is.

    Raises:
        CannotScore: no learning rate keeps the loss finite.
    """
    from models.training.errors import LossNotFinite
    from models.vlp.finetuning import fit

    try:
        return fit(learning, fitting, str(model.device))
    except LossNotFinite as error:
        raise CannotScore(f"{error} at learning rates of {rates_text(fitting.rates)}: take lower ones") from error


def first_tower(model: VisionLanguageModel, initial: Initial, seed: int) -> nn.Module:
    """`models.vlp.image_tower.image_tower`.

    Raises:
        CannotScore: random weights are asked for, and the architecture cannot be made anew.
    """
    from models.contracts import ModelNotFound
    from models.vlp.image_tower import image_tower

    try:
        return image_tower(model, initial, seed)
    except (ValueError, ModelNotFound) as error:
        raise CannotScore(f"model {model.name} cannot be made anew with random weights: {error}") from error


def chosen_films(held: LabelledSet, rows: np.ndarray, size: int) -> np.ndarray:
    """The films of some rows, in rising order, uint8 (rows, size, size): in memory, or in a file that goes with them.

    Raises:
        CorruptShard, ObjectMissing: as `LabelledSet.blocks`.
    """
    films = _empty((len(rows), size, size))
    filled, at = 0, 0
    for block in held.blocks(size):
        wanted = rows[(rows >= at) & (rows < at + len(block))] - at
        films[filled : filled + len(wanted)] = block[wanted]
        filled, at = filled + len(wanted), at + len(block)
    return films


def _empty(shape: tuple[int, int, int]) -> np.ndarray:
    if np.prod(shape) <= _IN_MEMORY:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def rates_text(rates: Sequence[float]) -> str:
    """Learning rates for a sentence."""
    return ", ".join(f"{rate:g}" for rate in rates)
