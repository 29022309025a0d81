"""What a training needs to go on to the bit: model, optimiser, average, scaler and step, as safetensors."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

_HEADER = "synthcxr.training"
_TENSOR = "$tensor"


class StateStore(Protocol):
    """Where the states of one training are kept between two processes."""

    def newest(self) -> Iterator[tuple[str, bytes]]:
        """Address and bytes of each state that is kept, the newest first."""
        ...

    def write(self, step: int, state: bytes) -> None:
        """Keep the state after `step` steps, whole or not at all."""
        ...


@dataclass(frozen=True, slots=True)
class FileState:
    """One file that always holds the last state."""

    path: Path

    def newest(self) -> Iterator[tuple[str, bytes]]:
        """See the protocol."""
        if self.path.exists():
            yield str(self.path), self.path.read_bytes()

    def write(self, step: int, state: bytes) -> None:
        """See the protocol."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f"{self.path.name}.{step}.{uuid.uuid4().hex}.partial")
        try:
            with partial.open("wb") as stream:
                stream.write(state)
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(self.path)
        finally:
            partial.unlink(missing_ok=True)


def pack(state: dict[str, Any]) -> bytes:
    """A state as the bytes of a safetensors file; its plain values are JSON in the header.

    Args:
        state: dictionaries and lists of tensors and plain values.
    """
    from safetensors.torch import save

    tensors: dict[str, torch.Tensor] = {}
    plain = _take_tensors(state, "", tensors)
    return save(tensors, {_HEADER: json.dumps(plain)})


def unpack(data: bytes, where: object) -> dict[str, Any]:
    """A state from bytes, on the CPU.

    Raises:
        ValueError: it is damaged, or no state of a training.
    """
    from safetensors.torch import load

    try:
        plain = json.loads(_metadata(data)[_HEADER])
        state = _put_tensors(plain, load(data))
        if not isinstance(state, dict) or not {"step", "seconds", "model", "optimiser"} <= state.keys():
            raise ValueError("it holds something else")
    except Exception as error:
        raise ValueError(f"{where} is no state of a training ({_short(error)}): remove it to begin anew") from error
    return state


def steps_done(path: Path) -> int:
    """Steps behind the state in a file."""
    return int(unpack(path.read_bytes(), path)["step"])


def trained_part(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The state of `module` without its frozen weights, which whoever goes on has already."""
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    return {name: value for name, value in module.state_dict().items() if name not in frozen}


def restore(module: torch.nn.Module, part: dict[str, torch.Tensor], where: object) -> None:
    """Put back what `trained_part` gave.

    Raises:
        ValueError: it belongs to another module.
    """
    expected = trained_part(module)
    wrong = sorted(expected.keys() ^ part.keys())
    wrong += sorted(name for name in expected.keys() & part.keys() if expected[name].shape != part[name].shape)
    if wrong:
        raise ValueError(f"{where} is the state of another model ({wrong[0]!r} differs): remove it to begin anew")
    module.load_state_dict(part, strict=False)


def _take_tensors(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """`value` as JSON would hold it, its tensors copied into `tensors` and referred to by their path.

    A dictionary is a list of pairs, since the keys of an optimiser's state are numbers.
    """
    if isinstance(value, torch.Tensor):
        tensors[path] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: path}
    if isinstance(value, dict):
        return {"items": [[key, _take_tensors(item, f"{path}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_take_tensors(item, f"{path}/{at}", tensors) for at, item in enumerate(value)]
    return value


def _put_tensors(plain: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(plain, dict):
        if _TENSOR in plain:
            return tensors[plain[_TENSOR]]
        return {key: _put_tensors(item, tensors) for key, item in plain["items"]}
    if isinstance(plain, list):
        return [_put_tensors(item, tensors) for item in plain]
    return plain


def _metadata(data: bytes) -> dict[str, str]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length])["__metadata__"]


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
