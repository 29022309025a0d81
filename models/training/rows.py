"""Which rows of a data set each step learns from."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from models.training.distributed import own_rows, world_size


def drawn_rows(count: int, batch: int, seed: int, weights: Tensor | None = None) -> Callable[[int], Tensor]:
    """A function from the step to the row numbers that this process learns from, `batch` of them.

    The rows of all processes together are drawn at once from (seed, step), with `weights` where given; each takes its
    part. A resumed training therefore goes on with the rows that come next.
    """
    chances = torch.ones(count) if weights is None else weights

    def rows(step: int) -> Tensor:
        rng = torch.Generator().manual_seed((seed * 1_000_003 + step) % 2**63)
        everyone = batch * world_size()
        return torch.multinomial(chances, everyone, replacement=True, generator=rng)[own_rows(everyone)]

    return rows
