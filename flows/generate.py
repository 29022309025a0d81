"""`generate`: plan, reports, images, gates and publish, shard by shard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.parameters import FlowParameters, factory_flow
from flows.session import Run, open_run
from storage.attempts import Attempts
from storage.ledger import committed_shards
from storage.records import Manifest
from storage.tags import advance_latest
from tasks.check.unjudged import unjudged_problems
from tasks.engine.bounded import Bounded
from tasks.engine.engine import Engine, Round
from tasks.engine.engines import open_engine
from tasks.engine.watch import Watch
from tasks.generate.generation import Generation
from tasks.generate.prompts import token_problems
from tasks.generate.stages import cards_of, stages_of
from tasks.generate.weights_used import weights_used
from tasks.plan.plan import make_plan
from tasks.prefect_tasks import step
from tasks.publish.dataset import NothingAccepted, find_version, open_version
from tasks.publish.finish import finish_version
from tasks.recipe.errors import RecipeError
from tasks.recipe.profile import dump_published
from tasks.store.versions import parent_of

if TYPE_CHECKING:
    from uuid import UUID


LOOKED_AT = 16_384
"""Samples that are drawn to count how often the rules acted."""


@factory_flow(FlowParameters)
def generate(parameters: FlowParameters) -> dict[str, Any]:
    """Make what the dataset version still lacks; a version that is whole is left alone."""
    with open_run("generate", parameters) as run:
        manifest = find_version(run.place, dump_published(run.recipe), run.fingerprint)
        if manifest is None:
            manifest = _generate(run)
        else:
            run.progress.say(f"{run.ref} is published already: nothing is generated")
        if not manifest.accepted:
            raise NothingAccepted(f"{run.ref} was published without a pair and is not tagged: take another version")
        advance_latest(run.store, run.ref)
        return {"dataset": str(run.ref), "accepted": manifest.accepted, "rejected": manifest.rejected}


def _generate(run: Run) -> Manifest:
    plan = make_plan(run.recipe, run.fingerprint, run.progress.stage)
    problems = [*token_problems(run.recipe, plan.entities), *unjudged_problems(run.recipe, plan.entities)]
    if problems:
        raise RecipeError(f"profile {run.recipe.profile!r}", problems)
    for note in plan.notes:
        run.progress.say(note)
    run.progress.say(str(plan.report(min(plan.pairs, LOOKED_AT))))
    open_version(run.place, dump_published(run.recipe), run.fingerprint, weights_used(run.recipe))
    generation = Generation(run.recipe, run.fingerprint, run.store, run.ref, plan)
    attempts = Attempts(run.store, run.ref)
    with run.tracked.nested("generate") as tracked:
        stages = [Bounded(stage, attempts) for stage in stages_of(generation)]
        with open_engine(run.recipe.engine, stages, run.recipe.ray.address) as engine:
            _make(run, engine, plan.base_shards)
            _top_up(run, engine, generation)
        manifest = step("publish", "publish", lambda: _publish(run, generation))
        attempts.forget()
        tracked.metrics(_numbers(manifest))
        tracked.dataset(run.ref.name, run.fingerprint, run.store.uri(run.ref.prefix), "synthetic")
    return manifest


def _make(run: Run, engine: Engine, shards: Sequence[int]) -> None:
    """One task run per shard (and stage, in this process) that is missing; bars and a progress artifact follow them.

    Raises:
        ShardsSetAside: shards are set aside; all others are done.
        SetUpBroken: the first shards are all set aside.
    """
    artifact = cast("UUID", create_progress_artifact(0.0, key="shards", description=f"Shards of {run.ref}"))
    lacking = {stage.name: frozenset(stage.missing(run.store)) for stage in engine.stages}
    watch = Watch(Attempts(run.store, run.ref), shards, frozenset().union(*lacking.values()))
    for record in watch.aside.values():
        run.progress.say(f"{record} is set aside since {record.since:%Y-%m-%d %H:%M}: it is not tried")
    work = Round(watch.shards, lacking, step, lambda shard: run.progress.within(f"shard {shard}"))
    for done, left in enumerate(engine.run(work), start=1):
        watch.settle(left)
        if left.aside is not None:
            run.progress.say(f"{watch.aside[left.shard]} is set aside; the others go on")
        run.progress.stage("shards", done, len(watch.shards))
        update_progress_artifact(artifact, 100.0 * done / len(watch.shards))
    watch.check()


def _top_up(run: Run, engine: Engine, generation: Generation) -> None:
    """Round after round, what was rejected is asked for again, until all is there or the plan ends."""
    for found in generation.rounds:
        asked = f"the entities of {len(found.rows)} rejected samples are dealt again"
        run.progress.say(f"top-up round {found.number}: {asked}, in {len(found.shards)} more shards")
        _make(run, engine, found.shards)
    missing, pairs = generation.rounds.given_up(), generation.plan.pairs
    if 0 < missing < pairs:
        run.progress.say(f"{missing} of {pairs} pairs are missing: raise top_up for more attempts at them")


def _publish(run: Run, generation: Generation) -> Manifest:
    committed = committed_shards(run.store, run.ref)
    entries = [committed[shard] for shard in generation.shards(committed)]
    lineage = parent_of(run.place)
    return finish_version(run.place, run.recipe, entries, cards_of(generation), lineage=lineage)


def _numbers(manifest: Manifest) -> dict[str, float]:
    """What MLflow shows of a version: yields, seconds and pairs per second by stage."""
    seconds = {name: sum(s.seconds.get(name, 0.0) for s in manifest.shards) for name in ("reports", "images")}
    numbers = {"asked": manifest.asked, "accepted": manifest.accepted, "rejected": manifest.rejected}
    numbers |= {f"rejected.{gate}": count for gate, count in manifest.rejected_by_gate.items()}
    numbers |= {f"seconds.{stage}": value for stage, value in seconds.items()}
    numbers |= {f"pairs_per_second.{stage}": manifest.accepted / value for stage, value in seconds.items() if value}
    return {name: float(value) for name, value in numbers.items()}
