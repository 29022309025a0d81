"""What a training needs to go on to the bit: model, optimiser, average, scaler and step."""

from __future__ import annotations

import io
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch


class StateStore(Protocol):
    """Where the state of one training is kept between two processes."""

    def read(self) -> bytes | None:
        """The last state written, or None."""
        ...

    def write(self, step: int, state: bytes) -> None:
        """Keep the state after `step` steps, whole or not at all."""
        ...


@dataclass(frozen=True, slots=True)
class FileState:
    """One file that always holds the last state."""

    path: Path

    def read(self) -> bytes | None:
        """See the protocol."""
        return self.path.read_bytes() if self.path.exists() else None

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

    def __str__(self) -> str:
        return str(self.path)


def pack(state: dict[str, Any]) -> bytes:
    """A state as bytes."""
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def unpack(data: bytes, where: object) -> dict[str, Any]:
    """A state from bytes; nothing but tensors and plain values is read.

    Raises:
        ValueError: it is damaged, or no state of a training.
    """
    try:
        state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
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


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
