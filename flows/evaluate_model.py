"""One model on the test set of a profile, without a run around it: what `synth evaluate MODEL` does."""

from __future__ import annotations

from collections.abc import Sequence

from flows.leaks import training_versions
from flows.progress import Progress
from flows.services.home import prepare
from flows.session import open_storage
from models.registry import UnknownKind
from storage.objects import ObjectStore
from tasks.corpora.source import parse_source
from tasks.evaluate.data import open_data
from tasks.evaluate.find_model import FoundModel, find_model
from tasks.evaluate.one_model import ModelScores, evaluate_model
from tasks.evaluate.task_files import TaskFile, find_task, resolved
from tasks.ingest.ensure import SourceVersion, ensure_source, need_source
from tasks.ingest.leaks import check_leaks
from tasks.recipe.schema import Recipe
from tasks.recipe.sources import SourceSection


def score_model(recipe: Recipe, model: str, tasks: Sequence[str], on: str | None = None) -> ModelScores:
    """Examine a model on a test set; its predictions are kept in the store of the recipe.

    Args:
        recipe: its store, its test source, and how scores are made of predictions.
        model: see `tasks.evaluate.find_model.find_model`.
        tasks: names, kinds or files; none: those of the recipe.
        on: a source in place of the recipe's test source, and of those that task files name.

    Raises:
        UnknownKind: there is no such task.
        SourcesLeak: the model was trained on patients or films of the test set.
        SourceUnknown, RecipeError, StoreError, ModelNotFound, ArchiveError: the model or the test set is not there.
    """
    asked = [find_task(text) for text in dict.fromkeys(tasks)] or _of_recipe(recipe)
    _different(asked)
    if on is not None:
        parse_source(on)
    by_source: dict[str | None, list[TaskFile]] = {}
    for task in asked:
        by_source.setdefault(on or task.dataset, []).append(task)
    with open_storage(recipe.storage, prepare()) as store, Progress() as progress:
        found = find_model(store, model)
        parts: list[ModelScores] = []
        for source, group in by_source.items():
            section = need_source(recipe, "test") if source is None else SourceSection(source=source)
            held = ensure_source(store, section, progress.stage)
            _refuse_leaks(store, found, held, progress)
            data = open_data(store, recipe, held, [task.spec for task in group], progress.stage)
            parts.append(evaluate_model(store, found, data, group, recipe.evaluate, progress.stage))
    return _joined(parts)


def _different(tasks: Sequence[TaskFile]) -> None:
    names = [task.name for task in tasks]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise UnknownKind(f"two tasks are called {', '.join(twice)}: give each file another name")


def _of_recipe(recipe: Recipe) -> list[TaskFile]:
    """The tasks of a recipe, numbered where a kind stands there twice."""
    asked = [resolved(spec) for spec in recipe.evaluate.tasks]
    kinds = [spec.kind.rpartition(":")[2].lower() for spec in asked]
    names = [kind if kinds.count(kind) == 1 else f"{kind}-{at}" for at, kind in enumerate(kinds, 1)]
    specs = zip(names, asked, strict=True)
    return [TaskFile(name=name, kind=spec.kind, options=spec.options) for name, spec in specs]


def _refuse_leaks(store: ObjectStore, found: FoundModel, test: SourceVersion, progress: Progress) -> None:
    if found.checkpoint is None or found.kind != "trial":
        return
    if training := training_versions(found.checkpoint.trial.arm.mix):
        check_leaks(store, training, [test], progress.stage)


def _joined(parts: Sequence[ModelScores]) -> ModelScores:
    """The scores on several test sets as one; each table says its own."""
    first = parts[0]
    return first.model_copy(
        update={
            "dataset": ", ".join(dict.fromkeys(part.dataset for part in parts)),
            "tables": {name: table for part in parts for name, table in part.tables.items()},
            "predictions": {name: key for part in parts for name, key in part.predictions.items()},
            "failures": {name: line for part in parts for name, line in part.failures.items()},
        }
    )
