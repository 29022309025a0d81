"""Gather what a run came to, from the store."""

from __future__ import annotations

import time
from pathlib import Path

from flows.services.processes import Services
from flows.session import Run
from storage.addresses import redact
from storage.records import Manifest
from storage.versions import open_dataset
from tasks.evaluate.data import TRAINING
from tasks.evaluate.evaluate import read_scores
from tasks.evaluate.protocol import build_task
from tasks.evaluate.task_files import resolved
from tasks.ingest.ensure import need_source
from tasks.pretrain.runs import read_trials
from tasks.publish.caveats import caveats
from tasks.publish.finish import cost
from tasks.publish.summary import Arm, Difference, Summary, TaskMeans
from tasks.recipe.schema import Recipe


def summarise(run: Run) -> Summary:
    """The run's summary: yields from the manifest, arms from the scores, and where everything is."""
    manifest = open_dataset(run.store, run.ref)
    tables = read_scores(run.store, run.name).tables
    table = tables[0]
    pairs = {trial.arm: trial.pairs for trial in read_trials(run.store, run.name).trials}
    spent = cost(run.recipe, manifest.shards)
    counts = [count for count in manifest.entity_counts.values() if count]
    summary = Summary(
        dataset=str(run.ref),
        asked=manifest.asked,
        planned=manifest.accepted + manifest.rejected,
        accepted=manifest.accepted,
        rejected_by_gate=manifest.rejected_by_gate,
        entity_ratio=max(counts) / min(counts),
        seconds_per_pair=spent.get("seconds_per_accepted_pair", 0.0),
        cost_per_pair=spent.get("cost_per_accepted_pair", 0.0),
        arms=tuple(
            Arm(name=s.arm, pairs=pairs[s.arm], seeds=s.seeds, sd=s.sd, macro=s.macro, low=s.low, high=s.high)
            for s in table.scores
        ),
        differences=tuple(
            Difference(name=f"{d.arm} - {d.baseline}", value=d.difference, low=d.low, high=d.high)
            for d in table.differences
        ),
        tasks=tuple(
            TaskMeans(name=one.name, metric=one.metric, macros={s.arm: s.macro for s in one.scores}) for one in tables
        ),
        labelled=_labelled(run.recipe),
        confidence=table.confidence,
        unit=table.unit,
        measure=f"{table.task.replace('_', '-')} macro {table.metric} on {table.dataset}",
        samples_seen=run.recipe.pretrain.samples_seen,
        seconds=time.perf_counter() - run.started,
        caveats=caveats(run.recipe),
        places=_places(run, manifest),
    )
    run.tracked.metrics({f"auroc.{arm.name}": arm.macro for arm in summary.arms})
    run.tracked.metrics({"seconds_per_pair": summary.seconds_per_pair, "cost_per_pair": summary.cost_per_pair})
    run.tracked.text(summary.markdown(), "summary.md")
    run.tracked.tags({"mlflow.note.content": summary.markdown(), "dataset": summary.dataset})
    return summary


def _labelled(recipe: Recipe) -> str:
    """The films that the evaluation tasks which train learn from, as the profile spells them."""
    if not any(build_task(resolved(spec)).trains for spec in recipe.evaluate.tasks):
        return ""
    return need_source(recipe, TRAINING).source


def _places(run: Run, manifest: Manifest) -> dict[str, str]:
    """Addresses of what people open next; the HTML report is copied out of the store, so that a browser can."""
    report = run.home / "reports" / f"{manifest.dataset}-{manifest.version}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_bytes(run.store.get(run.ref.card("report.html")))
    return {
        "dataset": run.store.uri(run.ref.prefix),
        "report": str(report),
        "run": run.store.uri(f"runs/{run.name}"),
        "MLflow run": _mlflow(run),
    }


def _mlflow(run: Run) -> str:
    missing = " (incomplete)" if run.tracked.incomplete() else ""
    served = Services.load(run.home).get("mlflow")
    if run.recipe.tracking.uri != "managed":
        return f"{run.tracked.id} at {redact(run.recipe.tracking.uri)}{missing}"
    if served and served.url:
        return f"{served.url}/#/experiments/{run.tracked.experiment}/runs/{run.tracked.id}{missing}"
    return f"{run.tracked.id} in {Path(run.home, 'mlflow.db')} (`synth serve` shows it){missing}"
