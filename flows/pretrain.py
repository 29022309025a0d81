"""`pretrain`: train every arm with every seed, at equal pairs and equal compute."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flows.leaks import refuse_leaks
from flows.parameters import FlowParameters, factory_flow
from flows.session import Run, open_run
from storage.layout import DatasetRef
from tasks.check.stored import need_pairs
from tasks.ingest.ensure import ensure_source
from tasks.prefect_tasks import step
from tasks.pretrain.arms import Trial, needed_sources, plan_trials
from tasks.pretrain.checkpoint import Checkpoint, ensure_trained, find_checkpoint
from tasks.pretrain.figures import loss_figure
from tasks.pretrain.images import ImageCache
from tasks.pretrain.offers import offers
from tasks.pretrain.runs import check_listed, keep_trials
from tasks.recipe.paths import published
from tasks.track.curves import LiveCurve, system_metrics

if TYPE_CHECKING:
    from tasks.pretrain.train import TrainedTrial
    from tasks.track.tracker import TrackedRun


@factory_flow(FlowParameters)
def pretrain(parameters: FlowParameters) -> dict[str, Any]:
    """Train every trial that has no checkpoint in the store yet, and write down which ones the run is made of."""
    with open_run("pretrain", parameters, needs=need_pairs) as run:
        trials = plan(run)
        check_listed(run.store, run.name, trials, run.recipe.pretrain)
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
    find = partial(ensure_source, run.store, on_progress=run.progress.stage)
    there, section = offers(run.store, run.recipe, run.ref, find), run.recipe.pretrain
    missing = [source for source in needed_sources(section) if source not in there]
    if missing:
        run.progress.say(
            f"{' and '.join(missing)} is not there, so arms have as many pairs as the rest gives; "
            "pretrain.pairs=... fixes the number"
        )
    return plan_trials(section, there)


def _train(run: Run, trial: Trial, cache: ImageCache) -> Checkpoint:
    section = run.recipe.pretrain
    held = find_checkpoint(run.store, trial, section)
    if held is not None:
        run.progress.say(f"{trial.label}: trained already")
        return held
    with run.tracked.continued(f"arm {trial.label}", trial.fingerprint(section)) as tracked, system_metrics(tracked):
        _describe(run, trial, tracked)
        curve, show = LiveCurve(tracked, "loss"), run.progress.within("pretrain")

        def on_step(number: int, loss: float) -> None:
            curve.add(number, loss)
            show(trial.label, number * section.batch, trial.arm.samples_seen, f"loss {loss:.2f}")

        try:
            held, trained = step(
                "pretrain",
                f"pretrain-{trial.arm.name}-{trial.seed}",
                lambda: ensure_trained(run.store, trial, section, cache=cache, on_step=on_step),
            )
        finally:
            curve.send()
        if trained is not None:
            curve.fill(trained.losses)
            _keep(run, trial, trained, tracked)
    return held


def _describe(run: Run, trial: Trial, tracked: TrackedRun) -> None:
    """What is trained, before it is: settings, and the versions that the pairs come from."""
    arm = trial.arm
    tracked.params({"arm": arm.name, "seed": trial.seed, "pairs": arm.pairs, "control": arm.control})
    tracked.params({"objective": trial.objective.kind, "text": arm.text})
    tracked.params({"trial": trial.fingerprint(run.recipe.pretrain)})
    for draw in arm.mix:
        place = run.store.uri(DatasetRef(draw.dataset, draw.version).prefix)
        tracked.dataset(draw.dataset, draw.fingerprint, place, "training")


def _register(run: Run, trial: Trial, trained: TrainedTrial, tracked: TrackedRun) -> None:
    from models.vlp.model import film_size
    from models.vlp.served import ModelDescription
    from tasks.track.registered import TRIAL, model_name, register_model

    section, options = run.recipe.pretrain, published(trial.objective.model_dump(mode="json"))["options"]
    description = ModelDescription(
        model=section.model,
        objective=trial.objective.kind,
        options=options,
        text_tower=section.text_tower,
        film_size=film_size(section.model),
    )
    tags = {TRIAL: trial.fingerprint(section), "version": str(run.ref), "run": run.name, "seed": str(trial.seed)}
    register_model(tracked, model_name(run.ref.name, trial.arm.name), trained.weights, description, tags)


def _keep(run: Run, trial: Trial, trained: TrainedTrial, tracked: TrackedRun) -> None:
    """What came of it, and what a person should look into."""
    tracked.metrics({"seconds": trained.seconds, "samples_seen": trained.samples_seen})
    tracked.metrics({"equal_text_rows": trained.equal_text_rows})
    if trial.arm.trained:
        _register(run, trial, trained, tracked)
    else:
        tracked.blob(trained.weights, "model/checkpoint.safetensors")
    health = trained.health
    if health is None:
        return
    tracked.metrics(health.figures)
    warnings = health.warnings()
    for warning in warnings:
        run.progress.say(f"{trial.label}: {warning}")
    if warnings:
        tracked.tags({"warning": "; ".join(warnings)})
