"""`evaluate`: every evaluation task on the checkpoints of a run, on the held-out test set."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from prefect.artifacts import create_markdown_artifact

from flows.leaks import refuse_leaks
from flows.parameters import FlowParameters, factory_flow
from flows.pretrain import plan
from flows.session import Run, open_run
from tasks.check.stored import need_checkpoints
from tasks.evaluate.data import open_data
from tasks.evaluate.evaluate import evaluate_run
from tasks.evaluate.figures import score_figure
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.scores import RunScores, ScoreTable
from tasks.evaluate.subgroup_view import subgroups_markdown
from tasks.ingest.ensure import ensure_source, need_source
from tasks.prefect_tasks import step
from tasks.pretrain.arms import Trial
from tasks.pretrain.runs import check_sources, list_trained

_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
"""What MLflow takes in no name of a metric, but names of findings have."""


@factory_flow(FlowParameters)
def evaluate(parameters: FlowParameters) -> dict[str, Any]:
    """Examine every checkpoint of the run that has no predictions yet, and score the predictions."""
    with open_run("evaluate", parameters, needs=need_checkpoints) as run:
        source = ensure_source(run.store, need_source(run.recipe, "test"), run.progress.stage)
        trials = plan(run)
        refuse_leaks(run, trials)
        data = open_data(run.store, run.recipe, source, run.recipe.evaluate.tasks, run.progress.stage)
        with run.tracked.nested("evaluate") as tracked:
            scores = step("evaluate", "evaluate", lambda: _score(run, trials, data))
            tracked.dataset(source.ref.name, source.ref.version, run.store.uri(source.ref.prefix), "evaluation")
            for table in scores.tables:
                if doubtful := sum(table.uncertain_labels.values()):
                    run.progress.say(f"{doubtful} uncertain labels of {data.test}: {table.uncertain}")
                tracked.metrics(metrics(table, prefix=f"{table.name}." if len(scores.tables) > 1 else ""))
                tracked.blob(score_figure(table), f"{table.name}.png")
            if text := subgroups_markdown(scores.tables):
                create_markdown_artifact(text, key="subgroups", description=f"Groups of the films of {data.test}")
            for spread in scores.spreads:
                between = f"{spread.lowest:.3f} to {spread.highest:.3f} over {len(spread.macros)} ways to ask"
                run.progress.say(f"{spread.task} of arm {spread.arm}: macro {between}")
            tracked.text(scores.model_dump_json(indent=1), "scores.json")
        return {item.arm: item.macro for item in scores.tables[0].scores}


def metrics(table: ScoreTable, prefix: str = "") -> dict[str, float]:
    """The scores for MLflow: macro means of each arm, and of each of its seeds where it has several.

    Beside these the table's metric by finding, ``auroc.<arm>/<finding>``, and under-diagnosis by group,
    ``missed.<arm>/<attribute>/<group>`` with its gap to the other groups, ``missed_gap.…``.
    """
    name = f"{prefix}{table.metric.lower()}"
    numbers = {f"{name}.{item.arm}": item.macro for item in table.scores}
    several = {item.arm for item in table.scores if len(item.seeds) > 1}
    numbers |= {f"{name}.{item.arm}.seed-{item.seeds[0]}": item.macro for item in table.trials if item.arm in several}
    for item in table.scores:
        further = {"auprc": item.auprc, **{each.lower(): figure for each, figure in item.beside.items()}}
        numbers |= {f"{prefix}{each}.{item.arm}": figure.value for each, figure in further.items() if figure}
        numbers |= {f"{name}.{item.arm}/{finding}": score.value for finding, score in item.per_label.items()}
    for held in table.subgroups:
        for group in held.groups:
            place = f"{held.arm}/{held.attribute}/{group.name}"
            rates = {"auroc": group.auroc, "missed": group.missed, "missed_gap": group.gap}
            numbers |= {f"{prefix}{each}.{place}": figure.value for each, figure in rates.items() if figure}
    return {_NOT_IN_NAMES.sub("_", key): value for key, value in numbers.items()}


def _score(run: Run, trials: Sequence[Trial], data: EvaluationData) -> RunScores:
    listed = list_trained(run.store, run.name, trials, run.recipe.pretrain)
    check_sources(run.store, listed, run.ref, run.fingerprint)
    return evaluate_run(run.store, run.name, data, run.recipe.evaluate, on_progress=run.progress.stage)
