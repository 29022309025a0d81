"""The trainer: one loop for everything that learns here.

Torch's own parts do the work: `DistributedDataParallel` where ``torchrun`` started several processes, `torch.amp` for
autocast and loss scaling, `LambdaLR` for the schedule, `AveragedModel` for the moving average of the weights. What a
step does depends on the options, the seed and the step's number alone, so that a training which was stopped goes on
to the same weights to the bit, on one machine and with as many threads.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from models.device import pick_device, to_device
from models.training.accumulate import CachedBatch, FeatureLoss, buffers_kept, live_batch_norms
from models.training.background import BackgroundWriter
from models.training.distributed import average_gradients, from_first_rank, mean_over_ranks, rank, world_size
from models.training.errors import CannotAccumulate, LossNotFinite, batch_norm_problem
from models.training.schedule import Schedule
from models.training.state import StateStore, pack, restore, trained_part, unpack

Precision = Literal["float32", "bfloat16", "float16"]
Optimiser = Literal["adamw", "sgd"]
OnStep = Callable[[int, float, float], None]
_STOP_SECONDS = 10.0
"""How long a training that is interrupted waits for a state that is being written."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What is learnt.

    Args:
        batch: from the step's number to the inputs of `loss` that this process computes. It may draw from torch's
            global generator, which is seeded anew for each step.
        loss: from such inputs, on the trainer's device, to a scalar. It runs under autocast where that is asked for.
        after_step: called without gradients after every step of the optimiser, to keep a weight within bounds.
        in_parts: the same loss, computed on a batch in parts (`models.training.accumulate`); None computes `loss`.
    """

    batch: Callable[[int], Any]
    loss: Callable[[Any], Tensor]
    after_step: Callable[[], None] | None = None
    in_parts: FeatureLoss | None = None


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """How it is learnt.

    Args:
        seed: decides, with the step, every random draw of `TrainingTask`.
        device: see `models.device`.
        precision: of the sums under autocast; ``float32`` is no autocast. Weights are always kept as they come.
        optimiser: AdamW, or stochastic gradient descent.
        betas: of AdamW.
        momentum: of stochastic gradient descent.
        weight_decay: of either.
        decay_vectors: False leaves biases, norms and scalars without decay.
        clip_norm: gradients longer than this are shortened to it.
        average: decay of the moving average that becomes the result; None keeps the last weights.
        sync_batch_norm: where GPUs train together, batch norm takes the statistics of the whole batch over them; False
            leaves each with those of its part, as they always are on the CPU.
        recomputes: activations are computed a second time for the gradient; statistics of batch norm then count once.
        save_seconds: a state is kept after so many seconds; None never by time.
        save_steps: a state is kept after so many steps; None never by steps.
    """

    seed: int = 0
    device: str = "auto"
    precision: Precision = "float32"
    optimiser: Optimiser = "adamw"
    betas: tuple[float, float] = (0.9, 0.99)
    momentum: float = 0.9
    weight_decay: float = 0.01
    decay_vectors: bool = True
    clip_norm: float = 1.0
    average: float | None = None
    sync_batch_norm: bool = True
    recomputes: bool = False
    save_seconds: float | None = 60.0
    save_steps: int | None = None


class Trainer:
    """Minimises a task's loss over the weights of a module, which it moves to its device and changes in place.

    `losses` holds the loss of every step, those before an interruption too.

    Args:
        module: frozen weights stay as they are and are left out of the state.
        task: inputs and loss; its functions close over `module`.
        schedule: for how long, and how fast.
        options: see there.
        states: where the state is kept; a training that finds one goes on from it. None keeps none.
        on_step: called by the first process with steps done, the step's loss (a mean over processes) and seconds.
    """

    def __init__(
        self, module: nn.Module, task: TrainingTask, schedule: Schedule, options: TrainerOptions = TrainerOptions(),
        *, states: StateStore | None = None, on_step: OnStep | None = None,
    ) -> None:  # fmt: skip
        self.device = pick_device(options.device)
        self.module, self.task, self.schedule, self.options = module.to(self.device), task, schedule, options
        self._states, self._on_step = states, on_step
        self._writer = None if states is None else BackgroundWriter(states)
        self._loss = self._distributed(_TaskModule(self.module, task.loss))
        self._optimiser = self._make_optimiser()
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=options.precision == "float16")
        self._average = None if options.average is None else _averaged(self.module, options.average)
        self.losses: list[float] = []
        self.step, self.seconds = self._resume()
        self._rates = LambdaLR(
            self._optimiser, lambda step: schedule.factor(step, self.seconds), last_epoch=self.step - 1
        )

    def run(self) -> nn.Module:
        """Train to the end of the schedule; a training that had ended returns at once.

        Returns:
            The module in evaluation mode, with the averaged weights where an average was asked for.

        Raises:
            LossNotFinite: the loss is no number; the weights are those of the last good step.
            CannotAccumulate: the batch is computed in parts, and a layer of batch norm would see the parts.
        """
        self.module.train()
        if self.task.in_parts is not None and (layers := live_batch_norms(self.module)):
            raise CannotAccumulate(batch_norm_problem(layers))
        with torch.random.fork_rng(devices=self._generators()):
            try:
                self._run_steps()
            except BaseException:
                self._finish_writing(_STOP_SECONDS)
                raise
        self._finish_writing()
        if self._average is not None:
            self.module.load_state_dict(self._average.module.state_dict())
        return self.module.eval()

    def fits(self, inputs: Any, in_parts: FeatureLoss | None = None) -> bool:
        """Whether the gradients of `inputs`, in parts or at once, fit the memory of the device; no weight changes."""
        inputs = to_device(inputs, self.device)
        try:
            if in_parts is None:
                with self._autocast():
                    loss = self.task.loss(inputs)
                loss.backward()
            else:
                batch = CachedBatch(in_parts, inputs, self.device, self._autocast)
                batch.loss().backward()
                batch.backward_through_towers()
        except torch.OutOfMemoryError:
            return False
        finally:
            self._optimiser.zero_grad(set_to_none=True)
        return True

    def _run_steps(self) -> None:
        began, saved = time.monotonic() - self.seconds, (self.step, time.monotonic())
        while self.schedule.done(self.step, self.seconds) < 1:
            loss = self._train_step()
            loss, self.seconds = mean_over_ranks((loss, time.monotonic() - began), self.device)
            self.step += 1
            self.losses.append(loss)
            self._rates.step()
            if self._on_step and rank() == 0:
                self._on_step(self.step, loss, self.seconds)
            if self._due(*saved):
                self._save()
                saved = (self.step, time.monotonic())
        if saved[0] < self.step:
            self._save()

    def _finish_writing(self, seconds: float | None = None) -> None:
        if self._writer is not None:
            self._writer.wait(seconds)

    def _train_step(self) -> float:
        torch.manual_seed(_step_seed(self.options.seed, self.step))
        inputs = to_device(self.task.batch(self.step), self.device)
        self._optimiser.zero_grad(set_to_none=True)
        value = self._backward(inputs) if self.task.in_parts is None else self._backward_in_parts(inputs)
        self._scaler.unscale_(self._optimiser)
        nn.utils.clip_grad_norm_(self.module.parameters(), self.options.clip_norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self.task.after_step is not None:
            with torch.no_grad():
                self.task.after_step()
        if self._average is not None:
            self._average.update_parameters(self.module)
        return value

    def _backward(self, inputs: Any) -> float:
        """Compute the loss and its gradients."""
        with self._autocast():
            loss = self._loss(inputs)
        value = self._finite(loss)
        with buffers_kept(self.module) if self.options.recomputes else nullcontext():
            self._scaler.scale(loss).backward()
        return value

    def _backward_in_parts(self, inputs: Any) -> float:
        """Compute the same on parts of the batch; processes share the gradients once at the end."""
        assert self.task.in_parts is not None
        batch = CachedBatch(self.task.in_parts, inputs, self.device, self._autocast)
        loss = batch.loss()
        value = self._finite(loss)
        self._scaler.scale(loss).backward()
        batch.backward_through_towers()
        average_gradients(self.module)
        return value

    def _finite(self, loss: Tensor) -> float:
        value = float(loss.detach())
        if not math.isfinite(value):
            raise LossNotFinite(value, self.step, self.schedule.steps)
        return value

    def _autocast(self) -> Any:
        if self.options.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, getattr(torch, self.options.precision))

    def _generators(self) -> list[int]:
        return [self.device.index or torch.cuda.current_device()] if self.device.type == "cuda" else []

    def _distributed(self, module: nn.Module) -> nn.Module:
        if world_size() == 1:
            return module
        if self.device.type == "cuda" and self.options.sync_batch_norm:  # which torch has for GPUs alone
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return DistributedDataParallel(module)

    def _make_optimiser(self) -> torch.optim.Optimizer:
        rate, options = self.schedule.rate, self.options
        if options.optimiser == "sgd":
            return torch.optim.SGD(self._groups(), lr=rate, momentum=options.momentum)
        return torch.optim.AdamW(self._groups(), lr=rate, betas=options.betas)

    def _groups(self) -> list[dict[str, Any]]:
        trained = [parameter for parameter in self.module.parameters() if parameter.requires_grad]
        decay = self.options.weight_decay
        if self.options.decay_vectors:
            return [{"params": trained, "weight_decay": decay}]
        return [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]

    def _due(self, step: int, when: float) -> bool:
        by_steps, by_time = self.options.save_steps, self.options.save_seconds
        return (by_steps is not None and self.step - step >= by_steps) or (
            by_time is not None and time.monotonic() - when > by_time
        )

    def _save(self) -> None:
        if self._writer is None or rank() > 0:
            return
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "losses": torch.tensor(self.losses, dtype=torch.float64),
            "model": trained_part(self.module),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }
        self._writer.write(self.step, pack(state))

    def _resume(self) -> tuple[int, float]:
        state = self._newest_state()
        if state is None:
            return 0, 0.0
        restore(self.module, state["model"], state["where"])
        self.losses = state["losses"].tolist()
        self._optimiser.load_state_dict(state["optimiser"])
        if state["scaler"] and self._scaler.is_enabled():
            self._scaler.load_state_dict(state["scaler"])
        if self._average is not None and state["average"] is not None:
            self._average.load_state_dict(state["average"])
        return int(state["step"]), float(state["seconds"])

    def _newest_state(self) -> dict[str, Any] | None:
        """The newest state that can be read; every process takes the one that the first process found.

        Raises:
            ValueError: there are states, and none can be read, or another process sees other ones.
        """
        states = iter(()) if self._states is None else _readable(self._states)
        found = next(states, None) if rank() == 0 else None
        step = from_first_rank(-1 if found is None else int(found["step"]))
        if step >= 0 and rank() > 0:
            found = next((state for state in states if int(state["step"]) == step), None)
            if found is None:
                raise ValueError(f"process {rank()} does not see the state of step {step}: share one store")
        return found


def _readable(states: StateStore) -> Iterator[dict[str, Any]]:
    """The states that can be read, the newest first, each with ``where`` it was."""
    damaged: list[ValueError] = []
    read = 0
    for where, data in states.newest():
        try:
            state = unpack(data, where)
        except ValueError as error:
            damaged.append(error)
            _log.warning("%s; the one before it is taken, if there is one", error)
            continue
        read += 1
        yield {"where": where, **state}
    if damaged and not read:
        raise damaged[0]


class _TaskModule(nn.Module):
    """A loss as the forward pass of a module: what `DistributedDataParallel` can watch."""

    def __init__(self, module: nn.Module, loss: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.module, self.loss = module, loss

    def forward(self, inputs: Any) -> Tensor:
        return self.loss(inputs)


def _averaged(module: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of weights and buffers; early in training it decays faster."""

    def blend(averages: Any, values: Any, count: Any) -> None:
        if not averages[0].is_floating_point():
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)
            return
        get_ema_multi_avg_fn(min(decay, (1 + int(count)) / (10 + int(count))))(averages, values, count)

    return AveragedModel(module, multi_avg_fn=blend, use_buffers=True)


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence((seed, step, rank())).generate_state(1, np.uint64)[0] >> 1)
