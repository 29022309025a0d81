"""What ends a training."""

from __future__ import annotations

from collections.abc import Sequence


class LossNotFinite(RuntimeError):
    """The loss is NaN or infinite; `step` and `value` are its place and the loss."""

    def __init__(self, value: float, step: int, steps: int) -> None:
        super().__init__(f"the loss is {value} at step {step} of {steps}")
        self.value, self.step = value, step


class CannotAccumulate(ValueError):
    """A batch in parts would not have the gradients of the whole; the message names the layer or the objective."""


class NoCheckpointing(ValueError):
    """A tower holds its activations whatever it is asked; the message names it."""


def batch_norm_problem(layers: Sequence[str]) -> str:
    """Why a model with these live layers of batch norm cannot be trained on a batch in parts."""
    return (
        f"layer {layers[0]} is batch norm and sees the parts of a batch in place of the whole: leave micro_batch out, "
        "or take towers and heads without batch norm, such as a ViT with clip"
    )
