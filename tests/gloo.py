"""Run a training in two processes that share a gloo group, for tests of distributed training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn

from storage.process import free_port


def run_in_two_processes(train: Callable[[Path], object], folder: Path) -> None:
    """Call `train` in two processes of one group, on the CPU with a thread each.

    Args:
        train: a function of a test module, called with `folder`.
        folder: where both processes leave their results.
    """
    spawn(_in_group, (free_port(), train, folder), nprocs=2)


def _in_group(number: int, port: int, train: Callable[[Path], object], folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"tcp://127.0.0.1:{port}", world_size=2, rank=number)
    train(folder)
    dist.destroy_process_group()
