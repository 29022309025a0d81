"""The films that the evaluation tasks of a recipe need, from its sources."""

from __future__ import annotations

from collections.abc import Iterable

from models.contracts import ProgressCallback
from storage.objects import ObjectStore
from storage.versions import Version
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.protocol import build_task, tunes, validates
from tasks.evaluate.task_files import resolved
from tasks.ingest.ensure import SourceVersion, ensure_source, need_source
from tasks.ingest.leaks import check_leaks
from tasks.recipe.base import KindSpec
from tasks.recipe.schema import Recipe

TRAINING, VALIDATION = "finetune", "validation"
"""Sources of a recipe that tasks train and tune on."""


def open_data(
    store: ObjectStore, recipe: Recipe, test: SourceVersion, tasks: Iterable[KindSpec],
    on_progress: ProgressCallback,
) -> EvaluationData:  # fmt: skip
    """The test set, and films to train and to tune on where one of the tasks takes them.

    A task that trains needs both; one that chooses thresholds on validation films does without where there are none.

    Args:
        store: where versions are; sources that are in no version yet are published.
        recipe: its sources.
        test: the test set.
        tasks: that will be asked.
        on_progress: called with what is done, how much, and of how much.

    Raises:
        RecipeError: a task trains, and the recipe has no films to train or to tune on.
        SourcesLeak: two of the three sets share a patient or a film.
    """
    asked = [build_task(resolved(spec)) for spec in tasks]
    trains = any(task.trains for task in asked)
    if not trains and (
        VALIDATION not in recipe.sources.named() or not any(validates(task) or tunes(task) for task in asked)
    ):
        return EvaluationData(_labelled(store, test))
    training = ensure_source(store, need_source(recipe, TRAINING), on_progress) if trains else None
    validation = ensure_source(store, need_source(recipe, VALIDATION), on_progress)
    if not trains and validation.ref == test.ref:
        return EvaluationData(_labelled(store, test))
    if training is not None:
        check_leaks(store, [training], [validation, test], on_progress)
    check_leaks(store, [validation], [test], on_progress)
    return EvaluationData(
        _labelled(store, test), _labelled(store, validation), None if training is None else _labelled(store, training)
    )


def _labelled(store: ObjectStore, found: SourceVersion) -> LabelledSet:
    return LabelledSet(Version.open(store, found.ref), found.selection)
