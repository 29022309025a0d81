"""How long to train, and the learning rate on the way."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """A linear warm-up, then half a cosine to zero.

    Args:
        steps: optimiser steps.
        rate: the full learning rate.
        minutes: training ends here at the latest, and the rate falls accordingly. Only a training without such a
            limit is the same when it is repeated or resumed.
        warmup: steps over which the rate rises.
    """

    steps: int
    rate: float
    minutes: float = math.inf
    warmup: int = 100

    def done(self, step: int, seconds: float = 0.0) -> float:
        """Share of the training that lies behind, 0 to 1."""
        return min(1.0, max(step / self.steps, seconds / 60 / self.minutes))

    def factor(self, step: int, seconds: float = 0.0) -> float:
        """Share of the full learning rate for this step."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        behind = (step - self.warmup) / max(1, self.steps - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, max(behind, seconds / 60 / self.minutes))))
