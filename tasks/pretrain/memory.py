"""What to say of a batch that does not fit the memory of a device: which would."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from models.vlp.objectives import Objective, splits_loss
from tasks.pretrain.arms import Trial
from tasks.pretrain.parts import loss_in_parts, rows_of
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    from models.training.trainer import Trainer
    from models.vlp.model import VisionLanguageModel


class OutOfMemory(RuntimeError):
    """A batch does not fit the device; the message says which would, or in parts of which size."""


def out_of_memory(
    trial: Trial, section: TrainSection, trainer: Trainer, objective: Objective, model: VisionLanguageModel,
    error: Exception,
) -> OutOfMemory:  # fmt: skip
    """The error to raise, after trying what would fit on the batch at which `trainer` stopped.

    Where objective and layers allow it, that is a size of its parts, which leaves the result as it is; else a batch.

    Args:
        trial, section: what is trained, and how.
        trainer: stopped by `error`, whose frames let go of what they hold.
        objective: of the trial, which trains `model`.
    """
    from models.training.accumulate import live_batch_norms

    kind, processes = trial.objective.kind, _processes()
    in_parts = splits_loss(kind) and not live_batch_norms(trainer.module)
    lacks = f"{trial.label}: a batch of {section.batch} does not fit the memory of {trainer.device}"
    if processes > 1:  # the others wait for this process: nothing smaller can be tried
        field = f"set pretrain.micro_batch below {_part(section, processes)}" if in_parts else "lower pretrain.batch"
        return OutOfMemory(f"{lacks}, one of {processes}: {field}")
    traceback.clear_frames(error.__traceback__)
    inputs = trainer.task.batch(trainer.step)
    if in_parts:
        found = size_that_fits(
            lambda size: trainer.fits(inputs, loss_in_parts(objective, model, kind, size)), _part(section, 1), least=1
        )
        remedy = f"in parts of {found} it fits: set pretrain.micro_batch={found}"
    else:
        found = size_that_fits(lambda size: trainer.fits(rows_of(inputs, 0, size)), section.batch, least=2)
        remedy = f"one of {found} fits: set pretrain.batch={found}"
    return OutOfMemory(f"{lacks}; {remedy if found else 'nothing smaller fits either: take another model'}")


def size_that_fits(fits: Callable[[int], bool], size: int, least: int) -> int:
    """The largest half, quarter … of `size`, of `least` or more, for which `fits` is true; 0 where none is."""
    while (size := size // 2) >= least:
        if fits(size):
            return size
    return 0


def _processes() -> int:
    from models.training.distributed import world_size  # which imports torch

    return world_size()


def _part(section: TrainSection, processes: int) -> int:
    """Pairs that a process has held at once."""
    own = section.batch // processes
    return min(own, section.micro_batch or own)
