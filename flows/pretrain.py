"""`pretrain`: train every arm with every seed, at equal pairs and equal compute."""

from __future__ import annotations

from typing import Any

from flows.leaks import refuse_leaks
from flows.parameters import FlowParameters, factory_flow
from flows.session import Run, open_run
from storage.layout import DatasetRef
from tasks.check.stored import need_pairs
from tasks.prefect_tasks import step
from tasks.pretrain.arms import Trial, needed_sources, plan_trials
from tasks.pretrain.checkpoint import Checkpoint, ensure_trained
from tasks.pretrain.figures import loss_figure
from tasks.pretrain.images import ImageCache
from tasks.pretrain.offers import offer
from tasks.pretrain.runs import keep_trials


@factory_flow(FlowParameters)
def pretrain(parameters: FlowParameters) -> dict[str, Any]:
    """Train every trial that has no checkpoint in the store yet, and write down which ones the run is made of."""
    with open_run("pretrain", parameters, needs=need_pairs) as run:
        trials = plan(run)
        refuse_leaks(run, trials)
        with run.tracked.nested("pretrain") as tracked:
            cache = ImageCache(run.recipe.pretrain.cache_megabytes)
            trained = [(trial, _train(run, trial, cache)) for trial in trials]
            keep_trials(run.store, run.name, trained)
            tracked.blob(loss_figure([held for _, held in trained]), "loss.png")
        several = len(run.recipe.pretrain.seeds) > 1
        places = {trial.label if several else trial.arm.name: run.store.uri(held.key) for trial, held in trained}
        return {"run": run.name, **places}


def plan(run: Run) -> tuple[Trial, ...]:
    """The recipe's trials, on the versions behind the sources of their mixes."""
    section = run.recipe.pretrain
    offers = {
        source: offer(run.store, run.recipe, run.ref, source, run.progress.stage) for source in needed_sources(section)
    }
    return plan_trials(section, offers)


def _train(run: Run, trial: Trial, cache: ImageCache) -> Checkpoint:
    name = f"pretrain-{trial.arm.name}-{trial.seed}"
    held, trained = step(
        "pretrain",
        name,
        lambda: ensure_trained(
            run.store, trial, run.recipe.pretrain, cache=cache, on_progress=run.progress.within("pretrain")
        ),
    )
    if trained is None:
        run.progress.say(f"{trial.label}: trained already")
        return held
    with run.tracked.nested(f"arm {trial.label}") as tracked:
        arm = trial.arm
        tracked.params({"arm": arm.name, "seed": trial.seed, "pairs": arm.pairs, "control": arm.control})
        tracked.params({"objective": trial.objective.kind, "text": arm.text, "trial": held.fingerprint})
        tracked.metrics({"seconds": held.seconds, "samples_seen": held.samples_seen})
        tracked.metrics({"equal_text_rows": trained.equal_text_rows})
        tracked.points("loss", list(enumerate(trained.losses, 1)))
        tracked.blob(trained.weights, "model/checkpoint.safetensors")
        for draw in arm.mix:
            place = run.store.uri(DatasetRef(draw.dataset, draw.version).prefix)
            tracked.dataset(draw.dataset, draw.fingerprint, place, "training")
    return held
