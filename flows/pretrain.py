"""`pretrain`: train the arms real, synthetic and mixed, and their controls, at equal pairs and equal compute."""

from __future__ import annotations

from typing import Any

from flows.parameters import FlowParameters, factory_flow
from flows.session import Run, open_run
from storage.layout import DatasetRef
from storage.versions import open_dataset
from tasks.check.stored import need_selection
from tasks.corpora.ensure import ensure_source, need_source
from tasks.curate.keep import read_selection
from tasks.evaluate.figures import loss_figure
from tasks.prefect_tasks import step
from tasks.pretrain.arms import Arm, Source, curated, plan_arms
from tasks.pretrain.checkpoint import checkpoint_key, ensure_trained
from tasks.pretrain.train import TrainedArm


@factory_flow(FlowParameters)
def pretrain(parameters: FlowParameters) -> dict[str, Any]:
    """Train every arm that has no checkpoint in the store yet."""
    with open_run("pretrain", parameters, needs=need_selection) as run:
        real = ensure_source(run.store, need_source(run.recipe, "real"), run.progress.stage).ref
        with run.tracked.nested("pretrain") as tracked:
            trained = [_train(run, arm) for arm in arms_of(run, real)]
            curves = {arm.name: arm.losses for arm in trained if arm.losses}
            tracked.blob(loss_figure(curves, run.recipe.pretrain.batch), "loss.png")
        return {"run": run.name, **{arm.name: run.store.uri(checkpoint_key(run.name, arm.name)) for arm in trained}}


def arms_of(run: Run, real: DatasetRef) -> tuple[Arm, ...]:
    """The recipe's arms, on hospital A's sample and on the kept pairs of the dataset version."""
    films, selection = open_dataset(run.store, real), run.recipe.curate.name
    sources = (
        Source(dataset=real.name, version=real.version, fingerprint=films.fingerprint, pairs=films.accepted),
        curated(run.ref, run.fingerprint, selection, len(read_selection(run.store, run.ref, selection).kept)),
    )
    return plan_arms(run.recipe.pretrain, *sources)


def _train(run: Run, arm: Arm) -> TrainedArm:
    def progress(done: int, total: int, loss: float) -> None:
        run.progress.stage(f"pretrain {arm.name}", done, total, f"loss {loss:.2f}")

    section, seed = run.recipe.pretrain, run.recipe.seed
    trained, new = step(
        "pretrain",
        f"pretrain-{arm.name}",
        lambda: ensure_trained(run.store, run.name, arm, section, seed=seed, on_progress=progress),
    )
    if not new:
        run.progress.say(f"{arm.name}: trained already")
        return trained
    with run.tracked.nested(f"arm {arm.name}") as tracked:
        tracked.params({"arm": arm.name, "pairs": arm.pairs, "shuffled": arm.shuffled, "trained": arm.trained})
        tracked.metrics({"seconds": trained.seconds, "samples_seen": trained.samples_seen})
        tracked.curve("loss", trained.losses)
        tracked.blob(trained.checkpoint, "model/checkpoint.safetensors")
        for source in arm.sources:
            place = run.store.uri(DatasetRef(source.dataset, source.version).prefix)
            tracked.dataset(source.dataset, source.fingerprint, place, "training")
    return trained
