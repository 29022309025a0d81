"""Where a model computes: ``auto`` is CUDA where there is some, else the CPU."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

if TYPE_CHECKING:
    import torch
    from torch import nn

Device = Annotated[str, Field(pattern=r"^(auto|cpu|meta|mps|cuda(:\d+)?)$")]
"""``auto``, ``cpu``, ``cuda`` or one GPU of several such as ``cuda:1``."""


def pick_device(wanted: str | None = "auto") -> torch.device:
    """The device that `wanted` names; None is ``auto``."""
    import torch

    if wanted in (None, "auto"):
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(wanted)


def device_problem(wanted: str) -> str | None:
    """Why nothing can compute on `wanted` here; None where it can. Torch is imported only where a GPU is asked for."""
    if not wanted.startswith("cuda"):
        return None
    import torch

    number = int(wanted.partition(":")[2] or 0)
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if number < count:
        return None
    there = f"of CUDA devices there are {count}" if count else "there is no CUDA device"
    return f"{wanted}: {there} here: take auto or cpu"


def processes_problem(processes: int, wanted: str) -> str | None:
    """Why `processes` cannot have a GPU each here; None where they can, or compute on the CPU."""
    if processes == 1 or wanted == "cpu":
        return None
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0 or processes <= count:
        return None
    return f"{processes} need a GPU each, and there are {count}: take {count}, or device cpu"


def device_of(module: nn.Module) -> torch.device:
    """Where the weights of `module` are; the CPU for a module without any."""
    import torch

    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")


def to_device(batch: Any, device: torch.device) -> Any:
    """`batch` with every tensor in it on `device`: a tensor, or tuples, lists, mappings and dataclasses of them."""
    import torch

    if isinstance(batch, torch.Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, list | tuple) and not hasattr(batch, "_fields"):
        return type(batch)(to_device(value, device) for value in batch)
    if isinstance(batch, tuple):  # a named one
        return type(batch)(*(to_device(value, device) for value in batch))
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        fields = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
        return dataclasses.replace(batch, **{name: to_device(value, device) for name, value in fields.items()})
    return batch
