"""Examine one model with some evaluation tasks; what was scored is kept where a later task fails."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from models.contracts import ModelNotFound
from models.own_kinds import OwnKindFailed
from models.vlp.features import NoFeatures
from storage.errors import StoreError
from storage.records import Record
from tasks.evaluate.asked import ask
from tasks.evaluate.find_model import FoundModel
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.protocol import TrialPredictions
from tasks.evaluate.scores import ScoreTable
from tasks.evaluate.task_files import TaskFile
from tasks.recipe.training import EvaluateSection

if TYPE_CHECKING:
    from models.contracts import ProgressCallback
    from storage.objects import ObjectStore

_OF_ONE_TASK = (StoreError, ModelNotFound, NoFeatures, OwnKindFailed)
"""What may go wrong with one task while others can be scored."""


class ModelScores(Record):
    """What one model reached on one test set.

    Args:
        model, kind: as it was asked for, and where it comes from (`tasks.evaluate.find_model.FoundModel`).
        identity: of its content, which names its predictions in the store.
        dataset: the test set.
        tables: of the tasks that could be scored, by name.
        predictions: keys of what they were computed from, by name.
        failures: what kept the others from being scored, in one line each, by name.
    """

    format: int = 1
    model: str
    kind: str
    identity: str
    dataset: str
    tables: dict[str, ScoreTable] = Field(default_factory=dict[str, ScoreTable])
    predictions: dict[str, str] = Field(default_factory=dict[str, str])
    failures: dict[str, str] = Field(default_factory=dict[str, str])


def evaluate_model(
    store: ObjectStore,
    found: FoundModel,
    data: EvaluationData,
    tasks: Sequence[TaskFile],
    section: EvaluateSection,
    on_progress: ProgressCallback | None = None,
) -> ModelScores:
    """Score a model with every task; films are seen only where the store has no predictions yet.

    Args:
        store: that keeps the predictions, and holds the test set.
        found: the model.
        data: the held-out films, and those that tasks may train on.
        tasks: with different names.
        section: resamples, confidence, device and what becomes of uncertain labels.
        on_progress: called with how many tasks are done.
    """
    tables: dict[str, ScoreTable] = {}
    keys: dict[str, str] = {}
    failures: dict[str, str] = {}
    load = cache(lambda: found.load(section.device))
    whose = {"model": {"name": found.name, "kind": found.kind, "identity": found.identity}}
    for number, task in enumerate(tasks, 1):
        try:
            asked = ask(task.spec, data)
            test, validation = asked.predictions(store, found.key, whose, load)
            items = [TrialPredictions(found.name, 0, test, validation=validation)]
            table = asked.table(items, section).model_copy(update={"task_version": task.version})
        except _OF_ONE_TASK as error:
            failures[task.name] = " ".join(str(error).split())
        else:
            keys[task.name], tables[task.name] = found.key(data.test.version.ref, asked.hash), table
        if on_progress:
            on_progress("evaluate", number, len(tasks))
    return ModelScores(
        model=found.name, kind=found.kind, identity=found.identity, dataset=str(data.test),
        tables=tables, predictions=keys, failures=failures,
    )  # fmt: skip
