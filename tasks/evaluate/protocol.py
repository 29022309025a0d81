"""Evaluation tasks: what is asked of a trained model, by kind.

A task turns a model and a test set into predictions, which are kept, and predictions into scores, which are computed
anew whenever they are asked for. Its kind is a name in `TASKS`, or ``module:Class`` for one that lives elsewhere; its
constructor's keyword arguments are the options that a profile may give it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from models.own_kinds import named
from models.registry import build, problems
from storage.canonical import canonical_json
from storage.records import Manifest
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.scores import ScoreTable
from tasks.evaluate.training_counts import TrainingCounts
from tasks.recipe.base import KindSpec
from tasks.recipe.training import EvaluateSection

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel

TASKS: Mapping[str, str] = {
    "finetune": "tasks.evaluate.finetune.classification:Finetune",
    "grounding": "tasks.evaluate.grounding:Grounding",
    "probe": "tasks.evaluate.finetune.probe:Probe",
    "retrieval": "tasks.evaluate.retrieval:Retrieval",
    "segmentation": "tasks.evaluate.finetune.segmentation:Segmentation",
    "zero_shot": "tasks.evaluate.zero_shot:ZeroShot",
}
_FORMAT = 1
_DIGITS = 16


@dataclass(frozen=True, slots=True)
class TrialPredictions:
    """What the checkpoint of one arm and seed predicts, and how often its training pairs have each finding.

    `validation` is what it predicts for the validation films, which thresholds are chosen on; None where there are
    none, or where the task takes none (`tasks.evaluate.asked.AskedTask`).
    """

    arm: str
    seed: int
    predictions: Predictions
    trained_on: TrainingCounts | None = None
    validation: Predictions | None = None


@runtime_checkable
class EvaluationTask(Protocol):
    """One way to examine a vision-language model.

    A task with an attribute ``validates`` that is true is scored with its predictions for the validation films beside
    those for the test films, where the profile has some: `TrialPredictions.validation`. They come from `predict` with
    the validation films in place of the test set; from one call of ``predict_each(model, data, sets)``, predictions
    in the order of `sets`, where the task has that method: a task that trains does it once for both.

    A task with an attribute ``tunes`` that is true reads the validation films itself, in `predict`, where there are
    some, and they count in its hash.
    """

    @property
    def needs(self) -> frozenset[str]:
        """What the rows of a test set must hold, as fields of `storage.records.PairRow`.

        ``labels|findings`` means that one of the two is enough.
        """
        ...

    @property
    def trains(self) -> bool:
        """Whether it trains on labelled films of `EvaluationData` and tunes on others; both count in its hash."""
        ...

    def identity(self, test: Manifest) -> Mapping[str, Any]:
        """What changes the predictions beside kind, options, model and test set, as JSON: prompts, a protocol."""
        ...

    def predict(self, model: VisionLanguageModel, data: EvaluationData) -> Predictions:
        """Examine `model` on every image of the test set; the model stays as it is."""
        ...

    def score(self, predictions: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
        """Score trials on the same images and compare arms; reads no image and no model."""
        ...


def build_task(asked: KindSpec) -> EvaluationTask:
    """The task of a kind.

    Raises:
        UnknownKind: there is no such kind, or it does not take the options as given.
    """
    return build(TASKS, asked.kind, asked.options, EvaluationTask)


def validates(task: EvaluationTask) -> bool:
    """Whether a task is scored with predictions for the validation films too."""
    return bool(getattr(task, "validates", False))


def tunes(task: EvaluationTask) -> bool:
    """Whether a task that does not train chooses something on the validation films where there are some."""
    return bool(getattr(task, "tunes", False))


def task_problems(asked: KindSpec) -> dict[str, str]:
    """What keeps `build_task` from making it, by path, as `models.registry.problems` words it."""
    return problems(TASKS, asked.kind, asked.options, EvaluationTask)


def task_hash(asked: KindSpec, task: EvaluationTask, data: EvaluationData) -> str:
    """Sixteen digits that change with anything that changes predictions, but for the model's weights.

    Number of resamples, confidence, comparisons and what becomes of uncertain labels are no part of it: they are
    applied to predictions.
    """
    with named(asked.kind):
        own = dict(task.identity(data.test.version.manifest))
    identity = {
        "format": _FORMAT,
        "task": asked.model_dump(mode="json"),
        "identity": own,
        "test": data.test.identity(),
    }
    if task.trains:
        training, validation = data.to_train_on(asked.kind)
        identity |= {"training": training.identity(), "validation": validation.identity()}
    elif tunes(task) and data.validation is not None:
        identity |= {"validation": data.validation.identity()}
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:_DIGITS]
