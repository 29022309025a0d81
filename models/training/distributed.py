"""Several processes that train one model together, started by ``torchrun``; alone where there is no group."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn  # before any group: what is the world then becomes the default group of its functions
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store  # pyright: ignore[reportPrivateImportUsage]

PATIENCE = timedelta(hours=2)  # one process may render or encode while the others wait


def join_ranks(device: str = "auto") -> None:
    """Join the group that ``torchrun`` started; nothing without torchrun.

    Args:
        device: ``cpu`` joins by gloo; otherwise NCCL with a GPU for each process, gloo where there is no CUDA.
    """
    if "LOCAL_RANK" not in os.environ or dist.is_initialized():
        return
    dist.init_process_group(_backend(device), timeout=PATIENCE)


def join_group(meeting: Store, name: str, place: tuple[int, int], device: str = "auto") -> None:
    """Form a group with the processes that call this with the same name.

    Args:
        meeting: a key-value store that all of them reach.
        name: one that no group before it had in that store.
        place: this process's number among them, and how many they are.
        device: as in `join_ranks`.
    """
    number, size = place
    backend = _backend(device)
    store = PrefixStore(name, meeting)
    dist.init_process_group(backend, store=store, rank=number, world_size=size, timeout=PATIENCE)


def _backend(device: str) -> str:
    """What processes on that device talk by; this one takes its GPU."""
    if device == "cpu" or not torch.cuda.is_available():
        return "gloo"
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return "nccl"


def leave_ranks() -> None:
    """Leave the group that this process joined."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """This process's number among those that train together."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def barrier() -> None:
    """Wait until every process has come here."""
    if world_size() > 1:
        dist.barrier()


def own_rows(rows: int) -> slice:
    """The part of a batch of `rows` that this process computes: equal parts in the order of the ranks.

    Raises:
        ValueError: the batch cannot be split into equal parts.
    """
    if rows % world_size():
        raise ValueError(f"a batch of {rows} cannot be shared by {world_size()} processes: take a multiple of them")
    each = rows // world_size()
    return slice(rank() * each, (rank() + 1) * each)


def gather_rows(rows: Tensor) -> Tensor:
    """The rows of all processes in the order of their ranks, with gradients; every process has equally many.

    What each process derives from all rows sends its gradient back to the process that a row came from, where the
    gradients of all processes are summed. A loss of the whole batch that every process computes alike therefore has
    in each process the number of processes times its gradient, which `DistributedDataParallel` averages.
    """
    return rows if world_size() == 1 else _GatherRows.apply(rows)  # pyright: ignore[reportReturnType]


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.own = slice(rank() * len(rows), (rank() + 1) * len(rows))
        parts = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        whole = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole)
        return whole[ctx.own]


def average_gradients(module: nn.Module) -> None:
    """Put the mean over all processes in the place of each gradient, as `DistributedDataParallel` does by itself."""
    if world_size() == 1:
        return
    for parameter in module.parameters():
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= world_size()


def mean_over_ranks(values: tuple[float, ...], device: torch.device) -> tuple[float, ...]:
    """The mean of each value over all processes."""
    if world_size() == 1:
        return values
    shared = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(shared)
    return tuple((shared / world_size()).tolist())


def from_first_rank(value: int) -> int:
    """The first process's `value`, in every process."""
    if world_size() == 1:
        return value
    shared = [value]
    dist.broadcast_object_list(shared, src=0)
    return int(shared[0])
