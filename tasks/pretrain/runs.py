"""What a run was made of: ``runs/<run>/trials.json`` refers to the checkpoints of its trials by address."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing
from storage.layout import DatasetRef, run_key
from storage.records import Record
from tasks.pretrain.arms import COMPUTATION, Trial, without_later
from tasks.pretrain.checkpoint import Checkpoint, CheckpointConflict, find_checkpoint, read_checkpoint

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from tasks.recipe.schema import Recipe
    from tasks.recipe.training import TrainSection


class RunTrial(Record):
    """One trial of a run: whose checkpoint it is, for people, and where it is, for commands."""

    arm: str
    seed: int
    fingerprint: str
    step: int
    pairs: int


class RunTrials(Record):
    """``runs/<run>/trials.json``."""

    format: int = 2
    run: str
    trials: tuple[RunTrial, ...]


def run_name(ref: DatasetRef, recipe: Recipe) -> str:
    """Where a run's trials and scores are listed: another choice of arms, seeds, tasks or settings, another name.

    Another name costs nothing by itself: checkpoints and predictions are found at their own addresses.
    """
    identity = {
        "sources": recipe.sources.model_dump(mode="json"),
        "curate": recipe.curate.name,
        "pretrain": without_later(recipe.pretrain.model_dump(mode="json", exclude=set(COMPUTATION))),
        "evaluate": recipe.evaluate.model_dump(mode="json", exclude={"device"}),
    }
    return f"{ref.name}-{ref.version}-{hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:8]}"


def trials_key(run: str) -> str:
    """Where the list of a run's trials is."""
    return run_key(run, "trials.json")


def keep_trials(store: ObjectStore, run: str, trained: Sequence[tuple[Trial, Checkpoint]]) -> RunTrials:
    """Write down which checkpoints belong to `run`, create-only; the same list again changes nothing.

    Raises:
        CheckpointConflict: the run has other trials.
    """
    trials = tuple(
        RunTrial(
            arm=trial.arm.name, seed=trial.seed, fingerprint=held.fingerprint, step=held.step, pairs=trial.arm.pairs
        )
        for trial, held in trained
    )
    wanted = RunTrials(run=run, trials=trials)
    try:
        store.put(trials_key(run), wanted.model_dump_json(indent=1).encode(), content_type="application/json")
    except AlreadyExists as error:
        held = read_trials(store, run)
        if held != wanted:
            changed = next((item for item in wanted.trials if item not in held.trials), wanted.trials[0])
            raise _other_checkpoints(store, run, changed.arm) from error
    return wanted


def check_listed(store: ObjectStore, run: str, trials: Sequence[Trial], section: TrainSection) -> None:
    """See before training that a run which has a list has these trials in it.

    Raises:
        CheckpointConflict: it has others.
        CorruptShard: the list cannot be read.
    """
    if store.head(trials_key(run)) is None:
        return
    held = {(item.arm, item.seed, item.fingerprint) for item in read_trials(store, run).trials}
    for trial in trials:
        if (trial.arm.name, trial.seed, trial.fingerprint(section)) not in held:
            raise _other_checkpoints(store, run, trial.arm.name)


def _other_checkpoints(store: ObjectStore, run: str, arm: str) -> CheckpointConflict:
    return CheckpointConflict(
        f"{store.uri(trials_key(run))} lists other checkpoints, such as for arm {arm}: a dataset holds other pairs "
        "now, or was missing then; say how many pairs an arm has (pretrain.pairs=...), choose another name for the "
        "version (version=...), or remove it"
    )


def list_trained(store: ObjectStore, run: str, trials: Sequence[Trial], section: TrainSection) -> RunTrials:
    """The list of a run; where it has none, it is written of checkpoints that other runs trained.

    Raises:
        ObjectMissing: it has none, and a trial has no checkpoint; the message states what to do.
        CorruptShard: the list or a checkpoint cannot be read.
    """
    if store.head(trials_key(run)) is not None:
        return read_trials(store, run)
    return keep_trials(store, run, find_trained(store, run, trials, section))


def find_trained(
    store: ObjectStore, run: str, trials: Sequence[Trial], section: TrainSection
) -> list[tuple[Trial, Checkpoint]]:
    """The checkpoints of trials that a run may list.

    Raises:
        ObjectMissing: a trial has none; the message states what to do.
        CorruptShard: the object at a trial's address is no checkpoint of it.
    """
    found: list[tuple[Trial, Checkpoint]] = []
    for trial in trials:
        held = find_checkpoint(store, trial, section)
        if held is None:
            raise ObjectMissing(f"{no_trials(store, run)} (no checkpoint of arm {trial.label})")
        found.append((trial, held))
    return found


def read_trials(store: ObjectStore, run: str) -> RunTrials:
    """The trials of a run.

    Raises:
        ObjectMissing: it has none; the message states what to do.
        CorruptShard: the list cannot be read.
    """
    key = trials_key(run)
    try:
        return RunTrials.model_validate(parse_json(read_bounded(store, key)))
    except ObjectMissing as error:
        raise ObjectMissing(no_trials(store, run)) from error
    except (BadDocument, ValidationError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else error
        raise CorruptShard(f"{store.uri(key)} is no list of trials: {why}; remove it and pretrain again") from error


def no_trials(store: ObjectStore, run: str) -> str:
    """That a run has no list of trials, and what to do."""
    return f"{store.uri(trials_key(run))} is missing: pretrain first (`synth pretrain`)"


def check_sources(store: ObjectStore, trials: RunTrials, ref: DatasetRef, fingerprint: str) -> None:
    """See that the trials that learnt from `ref` learnt from the version of this fingerprint.

    Raises:
        CheckpointConflict: one learnt from a version of that name which another recipe made.
        CorruptShard: a checkpoint cannot be read.
    """
    for item in trials.trials:
        held = read_checkpoint(store, item.fingerprint)
        for draw in held.trial.arm.mix:
            if (draw.dataset, draw.version) == (ref.name, ref.version) and draw.fingerprint != fingerprint:
                raise CheckpointConflict(
                    f"{store.uri(held.key)} was trained on another {ref}: fingerprint {draw.fingerprint[:12]} then, "
                    f"{fingerprint[:12]} now; choose another name for the version (version=...)"
                )
