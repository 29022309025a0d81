"""Train one trial: an arm with an objective and a seed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.own_kinds import named
from models.vlp.objectives import ConstrainsModel, TrainingBatch, build_objective, preparation
from models.vlp.text import equal_text_rows
from tasks.pretrain.ahead import made_ahead
from tasks.pretrain.arms import Arm, Trial
from tasks.pretrain.corpus import Batch, Batches, Corpus, load_corpus
from tasks.pretrain.health import LARGEST_SCALE, TrainingHealth, examine
from tasks.pretrain.memory import out_of_memory
from tasks.pretrain.parts import loss_in_parts
from tasks.pretrain.state import TrialState
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    import torch

    from models.training.state import StateStore
    from models.training.trainer import TrainerOptions
    from models.vlp.model import VisionLanguageModel
    from storage.objects import ObjectStore
    from tasks.pretrain.images import ImageCache


OnStep = Callable[[int, float], None]
"""Called after every step with the number of steps done and the loss of the last one."""
_NAMED = 3
_EXAMINED = 128


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
        equal_text_rows: how many of the pairs seen had, in their batch, a text that another pair had too.
        health: how the trained model embeds some of its pairs; None where nothing was trained.
    """

    steps: int
    samples_seen: int
    losses: tuple[float, ...]
    seconds: float
    weights: bytes
    equal_text_rows: int = 0
    health: TrainingHealth | None = None


def train_trial(
    trial: Trial,
    section: TrainSection,
    store: ObjectStore,
    *,
    cache: ImageCache | None = None,
    on_step: OnStep | None = None,
) -> TrainedTrial:
    """Train from the datasets in `store`; every trial of a seed starts from the same random weights.

    Args:
        trial: what to learn from, for how long, with which objective. Its seed decides first weights, which pairs
            are drawn, their order, views and texts.
        section: how.
        store: where the datasets are.
        cache: decoded images that other trials may share; None makes one of its own.
        on_step: called by the first of the processes that train together.

    Raises:
        CannotAccumulate: ``micro_batch`` is set, and the objective or a layer cannot do with parts of a batch.
        NoCheckpointing: activations were to be computed anew, and a tower cannot.
        OutOfMemory: a batch does not fit the device.
        TrainingDiverged: the loss became NaN or infinite; the message names trial and step.
        CorruptShard: a shard cannot be read; the message names it.
    """
    corpus = load_corpus(store, trial.arm, section, trial.seed, cache) if trial.arm.trained else None
    states = TrialState(store, trial.fingerprint(section))
    return train_on(corpus, trial, section, states=states, on_step=on_step)


def train_on(
    corpus: Corpus | None, trial: Trial, section: TrainSection, *, states: StateStore | None = None,
    on_step: OnStep | None = None,
) -> TrainedTrial:  # fmt: skip
    """Train on pairs that are already here; None leaves the first weights as they are.

    `states` keeps what an interrupted training needs to go on to the same weights; None keeps nothing.
    """
    from models.vlp.model import create

    asked = trial.objective
    prepare = None if corpus is None else preparation(asked.kind, asked.options)
    model = create(section.model, trial.seed, section.device, prepare, section.text_tower)
    start, losses = time.monotonic(), list[float]()
    if corpus is not None:
        with _threads(section.threads):
            losses = _fit(model, corpus, trial, section, states, on_step)
    return TrainedTrial(
        steps=len(losses),
        samples_seen=len(losses) * section.batch,
        losses=tuple(losses),
        seconds=time.monotonic() - start,
        weights=model.to_bytes(),
        equal_text_rows=0 if corpus is None else _equal_text_rows(corpus, trial, section, len(losses)),
        health=None if corpus is None else _examine(model, corpus, trial),
    )


def _examine(model: VisionLanguageModel, corpus: Corpus, trial: Trial) -> TrainingHealth:
    first = Batches(corpus, min(_EXAMINED, len(corpus.samples)), trial.seed).at(0)
    objective = build_objective(trial.objective.kind, trial.objective.options)
    return examine(model, first.images, first.texts, float(getattr(objective, "largest_scale", LARGEST_SCALE)))


def _equal_text_rows(corpus: Corpus, trial: Trial, section: TrainSection, steps: int) -> int:
    batches = Batches(corpus, section.batch, trial.seed)
    return sum(equal_text_rows(batches.texts(step)) for step in range(steps))


def steps_of(arm: Arm, section: TrainSection) -> int:
    """Optimiser steps that `arm` gets: the same for every trained arm of equal compute."""
    return max(1, arm.samples_seen // section.batch) if arm.trained else 0


def _fit(
    model: VisionLanguageModel, corpus: Corpus, trial: Trial, section: TrainSection, states: StateStore | None,
    on_step: OnStep | None,
) -> list[float]:  # fmt: skip
    """Minimise the trial's objective over the weights of `model`; the losses, one per step."""
    import torch

    from models.training.distributed import own_rows
    from models.training.schedule import Schedule
    from models.training.trainer import LossNotFinite, Trainer, TrainingTask

    total, module = steps_of(trial.arm, section), model.module
    _save_work(module, section)
    objective = build_objective(trial.objective.kind, trial.objective.options)
    batches = Batches(corpus, section.batch, trial.seed, own_rows(section.batch))

    def loss(batch: TrainingBatch) -> torch.Tensor:
        with named(trial.objective.kind):
            return torch.stack(list(objective.losses(model, batch).values())).sum()

    def constrain() -> None:
        if isinstance(objective, ConstrainsModel):
            with named(trial.objective.kind):
                objective.constrain(module)
        else:
            module.logit_scale.clamp_(0, math.log(100))

    schedule = Schedule(total, section.learning_rate, warmup=max(1, round(total * section.warmup)))
    called = None if on_step is None else lambda step, value, _: on_step(step, value)

    def seen(step: int) -> TrainingBatch:
        return _seen(model, batches.at(step), batches.rows, trial.seed * 1_000_003 + step)

    with made_ahead(seen, total, section.loader_workers) as ahead:
        parts = loss_in_parts(objective, model, trial.objective.kind, section.micro_batch)
        task = TrainingTask(ahead, loss, constrain, parts)
        trainer = Trainer(module, task, schedule, _options(trial, section), states=states, on_step=called)
        try:
            trainer.run()
        except LossNotFinite as error:
            ahead.wait()
            samples = batches.at(error.step).samples
            raise TrainingDiverged(
                f"{trial.label}: {error}: lower pretrain.learning_rate ({section.learning_rate}); the batch held "
                f"{len(samples)} samples, such as {', '.join(samples[:_NAMED])}"
            ) from error
        except torch.OutOfMemoryError as error:
            raise out_of_memory(trial, section, trainer, objective, model, error) from error
    return trainer.losses


def _save_work(module: Any, section: TrainSection) -> None:
    """Have the towers hold fewer activations, and read no text twice, where the section says so."""
    from models.vlp.checkpointing import checkpoint_activations
    from models.vlp.transformers_text import TransformersText

    if section.checkpoint_activations:
        checkpoint_activations(module)
    if isinstance(text := getattr(module, "text", None), TransformersText):
        text.cache_texts(section.text_cache_megabytes)


def _options(trial: Trial, section: TrainSection) -> TrainerOptions:
    from models.training.trainer import TrainerOptions

    return TrainerOptions(
        seed=trial.seed, device=section.device, precision=section.precision, betas=(0.9, 0.98),
        optimiser=section.optimiser, momentum=section.momentum,
        weight_decay=section.weight_decay, decay_vectors=False, average=section.average,
        sync_batch_norm=section.sync_batch_norm, recomputes=section.checkpoint_activations,
        save_steps=section.save_steps,
        save_seconds=None if section.save_minutes is None else 60 * section.save_minutes,
    )  # fmt: skip


def _seen(model: VisionLanguageModel, batch: Batch, mine: slice, seed: int) -> TrainingBatch:
    """The rows of a batch that this process computes, each with the view that a whole batch gives it."""
    import torch

    from models.vlp.views import varied_view

    films, generator = torch.from_numpy(batch.images).to(model.device), torch.Generator().manual_seed(seed)
    views = model.seen(varied_view(films, generator, rows=mine, batch=len(batch.texts)))
    return TrainingBatch(views, model.tokenizer(batch.texts[mine]), batch.texts[mine])


@contextmanager
def _threads(wanted: int | None) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(wanted or os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
