"""Examine the checkpoints of a run: predictions where they are missing, and scores from predictions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing
from storage.layout import prediction_key, run_key
from tasks.evaluate.asked import AskedTask, ask
from tasks.evaluate.labelled_set import EvaluationData, LabelledSet
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.prompts import DEFAULT
from tasks.evaluate.protocol import TrialPredictions
from tasks.evaluate.scores import RunScores, ScoreTable, spreads_of
from tasks.evaluate.trained import stored_model
from tasks.evaluate.training_counts import TrainingCounter, TrainingCounts
from tasks.pretrain.checkpoint import Checkpoint, read_checkpoint
from tasks.pretrain.runs import RunTrial, read_trials
from tasks.recipe.training import EvaluateSection

if TYPE_CHECKING:
    from models.contracts import ProgressCallback
    from storage.objects import ObjectStore
    from tasks.evaluate.predictions import Predictions

_FORMAT = 3
"""Raise it when the same predictions would come to other scores."""


class ScoresConflict(RuntimeError):
    """The store holds other scores of the same run."""


def scores_key(run: str) -> str:
    """Where the tables of a run are."""
    return run_key(run, "scores.json")


def evaluate_run(
    store: ObjectStore,
    run: str,
    data: EvaluationData,
    section: EvaluateSection,
    *,
    on_progress: ProgressCallback | None = None,
) -> RunScores:
    """Score the checkpoints of a run with every task, all on the same films; models see only films not scored yet.

    Args:
        store, run: where the list of checkpoints is, and where ``scores.json`` goes.
        data: the held-out test set, whose rows hold the labels, and the films that tasks may train on.
        section: tasks, comparisons, bootstrap, confidence, and what becomes of uncertain labels.
        on_progress: called with how many of the trials are examined.

    Raises:
        ObjectMissing: the run has no trials, or a checkpoint is gone.
        CannotScore: labels or scores that no metric can take.
        ScoresConflict: the run's ``scores.json`` differs.
    """
    trials, test = read_trials(store, run).trials, data.test
    tasks = [ask(spec, data) for spec in section.tasks]
    question = _question(trials, tasks, test, section)
    kept = kept_scores(store, run)
    if kept is not None and kept.question == question:
        return kept
    found: list[list[tuple[Predictions, Predictions | None]]] = []
    trained_on: list[TrainingCounts] = []
    counter = TrainingCounter(store, test.version.manifest.label_set or DEFAULT)
    for number, trial in enumerate(trials, 1):
        checkpoint = read_checkpoint(store, trial.fingerprint)
        found.append(_predictions(store, checkpoint, tasks, section.device))
        trained_on.append(counter.count(checkpoint.trial))
        if on_progress:
            on_progress("evaluate", number, len(trials))
    tables: list[ScoreTable] = []
    for at, asked in enumerate(tasks):
        items = [
            TrialPredictions(trial.arm, trial.seed, of[at][0], counts, of[at][1])
            for trial, of, counts in zip(trials, found, trained_on, strict=True)
        ]
        tables.append(_table(asked, items, section))
    keys = {f"{asked.spec.kind} {asked.hash}": [_key(trial, test, asked) for trial in trials] for asked in tasks}
    scores = RunScores(
        run=run,
        dataset=str(test.version.ref),
        question=question,
        predictions=keys,
        tables=tables,
        spreads=spreads_of(tables),
    )
    return keep_scores(store, scores)


def _table(asked: AskedTask, items: Sequence[TrialPredictions], section: EvaluateSection) -> ScoreTable:
    try:
        return asked.table(items, section)
    except CannotScore as error:
        raise CannotScore(f"dataset {asked.data.test}: {error}") from error


def kept_scores(store: ObjectStore, run: str) -> RunScores | None:
    """The tables that a run has already, or None."""
    try:
        return read_scores(store, run)
    except ObjectMissing:
        return None


def read_scores(store: ObjectStore, run: str) -> RunScores:
    """The tables of a run.

    Raises:
        ObjectMissing: there are none.
        CorruptShard: what is there are no tables of scores.
    """
    key = scores_key(run)
    try:
        return RunScores.model_validate(parse_json(read_bounded(store, key)))
    except (BadDocument, ValidationError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else error
        raise CorruptShard(
            f"{store.uri(key)} holds no table of scores: {why}; remove it and evaluate again"
        ) from error


def keep_scores(store: ObjectStore, scores: RunScores) -> RunScores:
    """Publish the tables, create-only; the same tables again change nothing.

    Raises:
        ScoresConflict: the run has others.
    """
    key = scores_key(scores.run)
    try:
        store.put(key, scores.model_dump_json(indent=1).encode(), content_type="application/json")
    except AlreadyExists as error:
        stored = read_scores(store, scores.run)
        if not same_scores(stored, scores):
            raise ScoresConflict(
                f"{store.uri(key)} holds other scores: another evaluation of run {scores.run!r}; take another run name"
            ) from error
        return stored
    return scores


def same_scores(one: RunScores, other: RunScores) -> bool:
    """Whether two runs' tables agree, up to the rounding of another machine."""
    pairs = list(zip(one.tables, other.tables, strict=False))
    return len(one.tables) == len(other.tables) and all(_same_table(*pair) for pair in pairs)


def _same_table(one: ScoreTable, other: ScoreTable) -> bool:
    held = [(table.name, table.dataset, [(item.arm, item.seeds) for item in table.scores]) for table in (one, other)]
    close = (abs(a.macro - b.macro) < 1e-3 for a, b in zip(one.scores, other.scores, strict=False))
    return held[0] == held[1] and all(close)


def _question(
    trials: Sequence[RunTrial], tasks: Sequence[AskedTask], test: LabelledSet, section: EvaluateSection
) -> str:
    asked = {
        "format": _FORMAT,
        "trials": [[trial.arm, trial.seed, trial.fingerprint, trial.step] for trial in trials],
        "tasks": [item.identity() for item in tasks],
        "test": test.identity(),
        "section": section.model_dump(mode="json", exclude={"device"}),
    }
    return hashlib.sha256(canonical_json(asked).encode()).hexdigest()


def _key(trial: RunTrial, test: LabelledSet, asked: AskedTask) -> str:
    return prediction_key(trial.fingerprint, trial.step, test.version.ref, asked.hash)


def _predictions(
    store: ObjectStore, checkpoint: Checkpoint, tasks: Sequence[AskedTask], device: str
) -> list[tuple[Predictions, Predictions | None]]:
    """What a checkpoint predicts in each task, for the test and the validation films.

    Its weights are read only where a prediction is missing.
    """
    place = partial(prediction_key, checkpoint.fingerprint, checkpoint.step)
    load = cache(lambda: stored_model(store, checkpoint, device))
    whose = {"checkpoint": checkpoint.key, "sha256": checkpoint.sha256}
    return [asked.predictions(store, place, whose, load) for asked in tasks]
