"""Train one trial: an arm with an objective and a seed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.contracts import ProgressCallback
from models.vlp.objectives import TrainingBatch, build_objective
from tasks.pretrain.arms import Arm, Trial
from tasks.pretrain.corpus import Batch, Batches, Corpus, load_corpus
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from storage.objects import ObjectStore
    from tasks.pretrain.images import ImageCache


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


@dataclass(frozen=True, slots=True)
class TrainedTrial:
    """What training left behind.

    Args:
        steps: optimiser steps.
        samples_seen: pairs that went through the model.
        losses: one per step, the sum of the objective's parts.
        seconds: wall clock of the steps, without reading the dataset.
        weights: safetensors bytes.
    """

    steps: int
    samples_seen: int
    losses: tuple[float, ...]
    seconds: float
    weights: bytes


def train_trial(
    trial: Trial,
    section: TrainSection,
    store: ObjectStore,
    *,
    cache: ImageCache | None = None,
    on_progress: ProgressCallback | None = None,
) -> TrainedTrial:
    """Train from the datasets in `store`; every trial of a seed starts from the same random weights.

    Args:
        trial: what to learn from, for how long, with which objective. Its seed decides first weights, which pairs
            are drawn, their order, views and texts.
        section: how.
        store: where the datasets are.
        cache: decoded images that other trials may share; None makes one of its own.
        on_progress: told the trial, samples seen and samples to see after every step, with the loss as its note.

    Raises:
        TrainingDiverged: the loss became NaN or infinite; the message names trial and step.
        CorruptShard: a shard cannot be read; the message names it.
    """
    corpus = load_corpus(store, trial.arm, section, trial.seed, cache) if trial.arm.trained else None
    return train_on(corpus, trial, section, on_progress=on_progress)


def train_on(
    corpus: Corpus | None, trial: Trial, section: TrainSection, *, on_progress: ProgressCallback | None = None
) -> TrainedTrial:
    """Train on pairs that are already here; None leaves the first weights as they are."""
    from models.vlp.model import create

    model = create(section.model, trial.seed)
    start = time.monotonic()
    losses: list[float] = []
    if corpus is not None:
        with _threads(section.threads):
            for loss in _steps(model, corpus, trial, section):
                losses.append(loss)
                if on_progress:
                    on_progress(trial.label, len(losses) * section.batch, trial.arm.samples_seen, f"loss {loss:.2f}")
    return TrainedTrial(
        steps=len(losses),
        samples_seen=len(losses) * section.batch,
        losses=tuple(losses),
        seconds=time.monotonic() - start,
        weights=model.to_bytes(),
    )


def steps_of(arm: Arm, section: TrainSection) -> int:
    """Optimiser steps that `arm` gets: the same for every trained arm of equal compute."""
    return max(1, arm.samples_seen // section.batch) if arm.trained else 0


def _steps(model: VisionLanguageModel, corpus: Corpus, trial: Trial, section: TrainSection) -> Iterator[float]:
    import torch
    from torch import nn

    module, total = model.module, steps_of(trial.arm, section)
    objective = build_objective(trial.objective.kind, trial.objective.options)
    optimiser = torch.optim.AdamW(_groups(module, section.weight_decay), lr=section.learning_rate, betas=(0.9, 0.98))
    module.train()
    batches = Batches(corpus, section.batch, trial.seed)
    for step in range(total):
        batch = batches.at(step)
        for group in optimiser.param_groups:
            group["lr"] = section.learning_rate * schedule(step, total, section.warmup)
        parts = objective.losses(model, _seen(model, batch, trial.seed, step))
        loss = torch.stack(list(parts.values())).sum()
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"{trial.label}: the loss is {value} at step {step} of {total}: lower pretrain.learning_rate "
                f"({section.learning_rate}); the batch began with sample {batch.samples[0]!r}"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            module.logit_scale.clamp_(0, math.log(100))
        yield value


def _seen(model: VisionLanguageModel, batch: Batch, seed: int, step: int) -> TrainingBatch:
    import torch

    from models.vlp.views import varied_view

    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    views = varied_view(torch.from_numpy(batch.images), generator)
    return TrainingBatch(views, model.tokenizer(batch.texts), batch.texts)


def schedule(step: int, total: int, warmup: float) -> float:
    """Share of the full learning rate: a linear rise over the first `warmup` of the steps, then a half cosine."""
    rise = max(1, round(total * warmup))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def _groups(module: Any, weight_decay: float) -> list[dict[str, Any]]:
    """Weights decay; biases, norms and the temperature do not."""
    named = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in named if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in named if p.ndim < 2], "weight_decay": 0.0},
    ]


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(wanted or os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
