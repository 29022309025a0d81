"""What every training here shares: a schedule, a moving average, a checkpoint, one line of progress.

Under ``torchrun`` several processes train one net together: each takes batches of its own and the gradients are
averaged. On a busy CPU two processes of one thread beat one process of two, whose threads wait for each other at
every layer.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train. The learning rate falls to zero with steps, or with `minutes` if those run out first."""

    steps: int
    rate: float
    minutes: float = math.inf
    warmup: int = 100
    save_every: float = 60.0

    def done(self, step: int, seconds: float) -> float:
        """Share of the training that lies behind, 0..1."""
        return min(1.0, max(step / self.steps, seconds / 60 / self.minutes))

    def learning_rate(self, step: int, seconds: float) -> float:
        """Linear warm-up, then half a cosine to zero."""
        return (
            self.rate * min(1.0, (step + 1) / self.warmup) * 0.5 * (1 + math.cos(math.pi * self.done(step, seconds)))
        )


@dataclass(slots=True)
class Average:
    """Exponential moving average of the weights of `net`; young averages forget faster."""

    net: nn.Module
    decay: float = 0.999
    shadow: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shadow = self.shadow or {k: v.detach().clone() for k, v in self.net.state_dict().items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take one step towards the present weights."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, value in self.net.state_dict().items():
            if value.is_floating_point():
                self.shadow[name].lerp_(value, 1 - keep)
            else:
                self.shadow[name].copy_(value)


def fit(
    net: nn.Module, loss: Callable[[int], Tensor], schedule: Schedule, checkpoint: Path, name: str,
    progress: Callable[[str], None] = print, decay: float = 0.999, weight_decay: float = 0.01,
) -> nn.Module:  # fmt: skip
    """Minimise `loss(step)` over the weights of `net` and leave their moving average in it.

    A call with an existing `checkpoint` goes on from there; a finished one returns at once.
    """
    optimiser = torch.optim.AdamW(net.parameters(), schedule.rate, (0.9, 0.99), weight_decay=weight_decay)
    average = Average(net, decay)
    step, spent = _resume(net, optimiser, average, checkpoint)
    began, saved, seen = time.monotonic() - spent, time.monotonic(), []
    torch.manual_seed(1_000_003 * step + rank())
    while schedule.done(step, spent) < 1:
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate(step, spent)
        value = loss(step)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        mean, spent = _share(net, float(value.detach()), time.monotonic() - began)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        average.update(step)
        seen.append(mean)
        step += 1
        if step % 50 == 0 and rank() == 0:
            progress(f"{name} {step}/{schedule.steps} loss {sum(seen) / len(seen):.4f} {spent / step:.2f} s/step")
            seen.clear()
        if time.monotonic() - saved > schedule.save_every and rank() == 0:
            _save(net, optimiser, average, checkpoint, step, spent)
            saved = time.monotonic()
    if rank() == 0:
        _save(net, optimiser, average, checkpoint, step, spent)
    net.load_state_dict(average.shadow)
    return net.eval()


def rank() -> int:
    """This process's number among those that train together."""
    return dist.get_rank() if dist.is_initialized() else 0


def team() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def together() -> None:
    """Wait for the rest of the team."""
    if team() > 1:
        dist.barrier()


def _share(net: nn.Module, value: float, spent: float) -> tuple[float, float]:
    """Average gradients, loss and time over the team, so that every process takes the same step."""
    if team() == 1:
        return value, spent
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads] + [torch.tensor([value, spent])])
    dist.all_reduce(flat)
    flat /= team()
    at = 0
    for grad in grads:
        grad.copy_(flat[at : at + grad.numel()].view_as(grad))
        at += grad.numel()
    return float(flat[-2]), float(flat[-1])


def _save(
    net: nn.Module, optimiser: torch.optim.Optimizer, average: Average, path: Path, step: int, spent: float
) -> None:
    state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "average": average.shadow}
    partial = path.with_suffix(".partial")
    torch.save({**state, "step": step, "spent": spent}, partial)
    partial.rename(path)


def _resume(net: nn.Module, optimiser: torch.optim.Optimizer, average: Average, path: Path) -> tuple[int, float]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return 0, 0.0
    state: dict[str, Any] = torch.load(path, weights_only=True)
    net.load_state_dict(state["net"])
    optimiser.load_state_dict(state["optimiser"])
    average.shadow = state["average"]
    return state["step"], state["spent"]


def shuffled(count: int, batch: int, seed: int, weights: Tensor | None = None) -> Iterator[Tensor]:
    """Endless batches of row numbers, drawn with `weights` where given."""
    dice = torch.Generator().manual_seed(seed + 1000 * rank())
    chances = torch.ones(count) if weights is None else weights
    while True:
        yield torch.multinomial(chances, batch, replacement=True, generator=dice)
