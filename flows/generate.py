"""`generate`: plan, reports, images, gates and publish, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from flows.parameters import FlowParameters, factory_flow
from flows.session import Run, open_run
from storage.records import Manifest, ShardEntry
from storage.tags import advance_latest
from tasks.check.unjudged import unjudged_problems
from tasks.engine.pool import Engine, Job, open_engine
from tasks.generate.prompts import token_problems
from tasks.generate.rounds import Rounds
from tasks.plan.plan import Plan, make_plan
from tasks.prefect_tasks import step, steps
from tasks.publish.dataset import NothingAccepted, find_version, open_version
from tasks.publish.finish import finish_version
from tasks.recipe.errors import RecipeError
from tasks.recipe.profile import dump_published
from tasks.store.versions import parent_of

if TYPE_CHECKING:
    from uuid import UUID


LOOKED_AT = 16_384
"""So many samples are looked at to say how often the rules acted."""


@factory_flow(FlowParameters)
def generate(parameters: FlowParameters) -> dict[str, Any]:
    """Make what the dataset version still lacks; a version that is whole is left alone."""
    with open_run("generate", parameters) as run:
        manifest = find_version(run.store, run.ref, dump_published(run.recipe), run.fingerprint)
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
    open_version(run.store, run.ref, dump_published(run.recipe), run.fingerprint)
    with run.tracked.nested("generate") as tracked:
        with _engine(run) as engine:
            entries = _make(run, engine, plan.base_shards)
            entries += _top_up(run, engine, plan)
            cards = engine.cards()
        lineage = parent_of(run.store, run.ref)
        manifest = step(
            "publish",
            "publish",
            lambda: finish_version(run.store, run.ref, run.recipe, entries, cards, lineage=lineage),
        )
        tracked.metrics(_numbers(manifest))
        tracked.dataset(run.ref.name, run.fingerprint, run.store.uri(run.ref.prefix), "synthetic")
    return manifest


def _make(run: Run, engine: Engine, shards: Sequence[int]) -> list[ShardEntry]:
    """One task run per shard, `engine.parallel` at a time; bars and a progress artifact follow them."""
    artifact = cast("UUID", create_progress_artifact(0.0, key="shards", description=f"Shards of {run.ref}"))
    calls = [(f"shard-{n:05d}", lambda n=n: engine.run(n, run.progress.within(f"shard {n}"))) for n in shards]
    entries: list[ShardEntry] = []
    for entry in steps("shard", calls, engine.parallel):
        entries.append(entry)
        run.progress.stage("shards", len(entries), len(shards))
        update_progress_artifact(artifact, 100.0 * len(entries) / len(shards))
    return sorted(entries, key=lambda entry: entry.shard)


def _top_up(run: Run, engine: Engine, plan: Plan) -> list[ShardEntry]:
    """Round after round, what was rejected is asked for again, until all is there or the plan ends."""
    more: list[ShardEntry] = []
    rounds = Rounds(plan, run.store, run.ref)
    for found in rounds:
        asked = f"the entities of {len(found.rows)} rejected samples are dealt again"
        run.progress.say(f"top-up round {found.number}: {asked}, in {len(found.shards)} more shards")
        more += _make(run, engine, found.shards)
    missing = rounds.given_up()
    if 0 < missing < plan.pairs:
        run.progress.say(f"{missing} of {plan.pairs} pairs are missing: raise top_up for more attempts at them")
    return more


@contextmanager
def _engine(run: Run) -> Iterator[Engine]:
    engine = open_engine(Job(run.recipe, run.fingerprint, run.ref, run.store))
    try:
        yield engine
    finally:
        engine.close()


def _numbers(manifest: Manifest) -> dict[str, float]:
    """What MLflow shows of a version: yields, seconds and pairs per second by stage."""
    seconds = {name: sum(s.seconds.get(name, 0.0) for s in manifest.shards) for name in ("reports", "images")}
    numbers = {"asked": manifest.asked, "accepted": manifest.accepted, "rejected": manifest.rejected}
    numbers |= {f"rejected.{gate}": count for gate, count in manifest.rejected_by_gate.items()}
    numbers |= {f"seconds.{stage}": value for stage, value in seconds.items()}
    numbers |= {f"pairs_per_second.{stage}": manifest.accepted / value for stage, value in seconds.items() if value}
    return {name: float(value) for name, value in numbers.items()}
