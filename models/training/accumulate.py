"""Train on a large batch in small parts: the gradients are those of the whole batch (Gao et al., 2021, GradCache).

A contrastive loss needs all pairs of a batch at once, so that the gradients of small batches do not add up to it. But
it needs their features alone, which are small. Each part is embedded without gradients, the loss of all features gives
a gradient for each feature, and each part is embedded a second time to pass its features' gradients on to the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Features = tuple[Tensor, ...]
"""What a loss reads of a batch; each (b, ...) with one row for each pair, in the order of the pairs."""


@dataclass(frozen=True, slots=True)
class FeatureLoss:
    """A loss that reads the pairs of a batch by their features alone.

    Args:
        split: this process's inputs in parts, in their order.
        embed: from a part to its features, each pair's by itself. What is not floating point has no gradient.
        loss: from this process's whole inputs and their features to a scalar.
    """

    split: Callable[[Any], Sequence[Any]]
    embed: Callable[[Any], Features]
    loss: Callable[[Any, Features], Tensor]


class CachedBatch:
    """One step on a batch in parts: first `loss`, then its gradient, then `backward_through_towers`.

    Both times a part is embedded, torch's generators stand alike, so that dropout is the same.

    Args:
        task: the loss in its parts.
        inputs: this process's, on its device.
        device: of the inputs.
        autocast: a new context in which towers and loss are computed.
    """

    def __init__(
        self, task: FeatureLoss, inputs: Any, device: torch.device, autocast: Callable[[], AbstractContextManager[Any]]
    ) -> None:
        self._task, self._inputs, self._device, self._autocast = task, inputs, device, autocast
        self._parts = task.split(inputs)
        self._states: list[tuple[Tensor, Tensor | None]] = []
        self._features: Features = ()

    def loss(self) -> Tensor:
        """The loss of the whole batch; its gradient reaches features, and weights that the loss itself reads."""
        embedded: list[Features] = []
        with torch.no_grad(), self._autocast():
            for part in self._parts:
                self._states.append(self._generators())
                embedded.append(self._task.embed(part))
        self._features = tuple(torch.cat(rows) for rows in zip(*embedded, strict=True))
        for feature in self._features:
            feature.requires_grad_(feature.is_floating_point())
        with self._autocast():
            return self._task.loss(self._inputs, self._features)

    def backward_through_towers(self) -> None:
        """Add to the gradients of the weights what the features' gradients make of them."""
        first = 0
        for part, state in zip(self._parts, self._states, strict=True):
            self._set_generators(state)
            with self._autocast():
                again = self._task.embed(part)
            last = first + len(again[0])
            reached = [
                (feature, whole.grad[first:last])
                for feature, whole in zip(again, self._features, strict=True)
                if feature.requires_grad and whole.grad is not None
            ]
            if reached:
                torch.autograd.backward([feature for feature, _ in reached], [gradient for _, gradient in reached])
            first = last

    def _generators(self) -> tuple[Tensor, Tensor | None]:
        on_gpu = self._device.type == "cuda"
        return torch.get_rng_state(), torch.cuda.get_rng_state(self._device) if on_gpu else None

    def _set_generators(self, state: tuple[Tensor, Tensor | None]) -> None:
        torch.set_rng_state(state[0])
        if state[1] is not None:
            torch.cuda.set_rng_state(state[1], self._device)


@contextmanager
def buffers_kept(module: nn.Module) -> Iterator[None]:
    """Put the buffers of a module back as they were, such as statistics that a second forward pass would count."""
    before = [(buffer, buffer.clone()) for buffer in module.buffers()]
    yield
    with torch.no_grad():
        for buffer, value in before:
            buffer.copy_(value)


def live_batch_norms(module: nn.Module) -> list[str]:
    """The names of layers whose outputs in training depend on which pairs are computed together."""
    kind = nn.modules.batchnorm._BatchNorm  # pyright: ignore[reportPrivateUsage]
    return [name for name, layer in module.named_modules() if isinstance(layer, kind) and layer.training]
