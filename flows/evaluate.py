"""`evaluate`: zero-shot classification of every arm on hospital B."""

from __future__ import annotations

from typing import Any

from flows.parameters import FlowParameters, factory_flow
from flows.session import Run, open_run
from storage.layout import DatasetRef
from tasks.corpora.ensure import ensure_source, need_source
from tasks.evaluate.evaluate import evaluate_run
from tasks.evaluate.figures import auroc_figure
from tasks.evaluate.scores import ScoreTable
from tasks.prefect_tasks import step
from tasks.pretrain.checkpoint import check_sources


@factory_flow(FlowParameters)
def evaluate(parameters: FlowParameters) -> dict[str, Any]:
    """Score every trained arm of the run, unless the store holds its scores."""
    with open_run("evaluate", parameters) as run:
        test = ensure_source(run.store, need_source(run.recipe, "test"), run.progress.stage).ref
        with run.tracked.nested("evaluate") as tracked:
            table = step("evaluate", "evaluate", lambda: _score(run, test))
            if doubtful := sum(table.uncertain_labels.values()):
                run.progress.say(f"{doubtful} uncertain labels of {test}: {table.uncertain}")
            tracked.dataset(test.name, test.version, run.store.uri(test.prefix), "evaluation")
            tracked.metrics({f"auroc.{scores.arm}": scores.macro for scores in table.scores})
            tracked.blob(auroc_figure(table), "auroc.png")
            tracked.text(table.model_dump_json(indent=1), "scores.json")
        return {scores.arm: scores.macro for scores in table.scores}


def _score(run: Run, test: DatasetRef) -> ScoreTable:
    section = run.recipe.pretrain
    arms = tuple(dict.fromkeys((*section.arms, *section.controls)))
    check_sources(run.store, run.name, arms, run.ref, run.fingerprint)
    return evaluate_run(run.store, run.name, arms, test, run.recipe.evaluate, model=section.model)
