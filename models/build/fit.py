"""Fit one of the small shipped nets: the shared trainer, a state on disk, and a line of progress now and then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from models.training.schedule import Schedule
from models.training.state import FileState
from models.training.trainer import Precision, Trainer, TrainerOptions, TrainingTask

EVERY = 50


@dataclass(frozen=True, slots=True)
class Run:
    """How long a net is trained, the file that its state is kept in, and the callback for its progress."""

    schedule: Schedule
    checkpoint: Path
    progress: Callable[[str], None] = print


def quick_precision() -> Precision:
    """bfloat16 on a CPU with AVX-512; elsewhere float32, as bfloat16 is then many times slower."""
    return "bfloat16" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "float32"


def fit(name: str, net: nn.Module, task: TrainingTask, run: Run, options: TrainerOptions) -> nn.Module:
    """Train `net`, or go on from its state; a finished training returns at once.

    Returns:
        The net with its averaged weights, on the CPU, in evaluation mode.
    """
    losses: list[float] = []

    def on_step(step: int, loss: float, seconds: float) -> None:
        losses.append(loss)
        if step % EVERY == 0:
            mean = sum(losses) / len(losses)
            run.progress(f"{name} {step}/{run.schedule.steps} loss {mean:.4f} {seconds / step:.2f} s/step")
            losses.clear()

    trainer = Trainer(net, task, run.schedule, options, states=FileState(run.checkpoint), on_step=on_step)
    return trainer.run().cpu()
