"""Train one arm with the contrastive loss."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.pretrain.arms import Arm
from tasks.pretrain.corpus import Batch, Corpus, batches, load_corpus
from tasks.recipe.schema import TrainSection

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel
    from storage.objects import ObjectStore

Progress = Callable[[int, int, float], None]


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


@dataclass(frozen=True, slots=True)
class TrainedArm:
    """What training an arm left behind.

    Args:
        name, fingerprint: of the arm.
        pairs: different pairs it learnt from.
        samples_seen: pairs that went through the model.
        losses: one per step.
        seconds: wall clock of the steps, without reading the dataset.
        checkpoint: weights as safetensors.
    """

    name: str
    fingerprint: str
    pairs: int
    samples_seen: int
    losses: tuple[float, ...]
    seconds: float
    checkpoint: bytes


def train_arm(
    arm: Arm,
    section: TrainSection,
    store: ObjectStore,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> TrainedArm:
    """Train `arm` from its datasets in `store`; every arm starts from the same random weights.

    Args:
        arm: what to learn from, and for how long.
        section: how.
        store: where the datasets are.
        seed: decides first weights, order, views and texts.
        on_progress: called with samples seen, samples to see and the last loss, after every step.

    Raises:
        TrainingDiverged: the loss became NaN or infinite; the message names arm and step.
        CorruptShard: a shard cannot be read; the message names it.
    """
    corpus = load_corpus(store, arm, section, seed) if arm.trained else None
    return train_on(corpus, arm, section, seed=seed, on_progress=on_progress)


def train_on(
    corpus: Corpus | None, arm: Arm, section: TrainSection, *, seed: int, on_progress: Progress | None = None
) -> TrainedArm:
    """Train on pairs that are already here; None leaves the first weights as they are."""
    from models.vlp.model import create

    model = create(section.model, seed)
    start = time.monotonic()
    losses: list[float] = []
    if corpus is not None:
        with _threads(section.threads):
            for loss in _steps(model, corpus, arm, section, seed):
                losses.append(loss)
                if on_progress:
                    on_progress(len(losses) * section.batch, arm.samples_seen, loss)
    return TrainedArm(
        name=arm.name,
        fingerprint=arm.fingerprint(section, seed),
        pairs=arm.pairs,
        samples_seen=len(losses) * section.batch,
        losses=tuple(losses),
        seconds=time.monotonic() - start,
        checkpoint=model.to_bytes(),
    )


def steps_of(arm: Arm, section: TrainSection) -> int:
    """Optimiser steps that `arm` gets: the same for every trained arm."""
    return max(1, arm.samples_seen // section.batch)


def _steps(model: VisionLanguageModel, corpus: Corpus, arm: Arm, section: TrainSection, seed: int) -> Iterator[float]:
    import torch
    from torch import nn

    from models.vlp.library import open_clip

    module, total = model.module, steps_of(arm, section)
    loss_of = open_clip().ClipLoss()
    optimiser = torch.optim.AdamW(_groups(module, section.weight_decay), lr=section.learning_rate, betas=(0.9, 0.98))
    module.train()
    for step, batch in zip(range(total), batches(corpus, section.batch, seed), strict=False):
        for group in optimiser.param_groups:
            group["lr"] = section.learning_rate * schedule(step, total, section.warmup)
        films, ids = _views(model, batch, seed, step)
        features = module.encode_image(films, normalize=True), module.encode_text(ids, normalize=True)
        loss = loss_of(*features, module.logit_scale.exp())
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"arm {arm.name!r}: the loss is {value} at step {step} of {total}: lower pretrain.learning_rate "
                f"({section.learning_rate}); the batch began with sample {batch.samples[0]!r}"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            module.logit_scale.clamp_(0, math.log(100))
        yield value


def _views(model: VisionLanguageModel, batch: Batch, seed: int, step: int) -> tuple[Any, Any]:
    import torch

    from models.vlp.views import varied_view

    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    return varied_view(torch.from_numpy(batch.films), generator), model.tokenizer(batch.texts)


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
