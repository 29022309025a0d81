"""How two runs of one store differ: settings, data, losses and scores. No model is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storage.errors import ObjectMissing, StoreError
from storage.layout import RUNS, DatasetRef
from storage.versions import Version
from tasks.evaluate.evaluate import kept_scores
from tasks.evaluate.paired_runs import AFTER, BEFORE, KeptPredictions, PairedScore, kept_predictions, pair_scores
from tasks.pretrain.arms import EXCLUDED, Draw
from tasks.pretrain.checkpoint import Checkpoint, read_checkpoint
from tasks.pretrain.runs import RunTrials, read_trials
from tasks.publish.dataset import frozen_recipe
from tasks.recipe.fingerprint import FieldChange, diff, leaves
from tasks.recipe.training import EvaluateSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore

_ABSENT = "not trained"
_LISTED = 20
_INSIDE = frozenset({"arms", "only", "seeds", "objective", "pairs", "samples_seen", "epochs"})
"""Fields of ``pretrain`` that the arms are made from; the arms themselves are compared."""


@dataclass(frozen=True, slots=True)
class TrainedArm:
    """The training of one arm and seed in one run.

    Args:
        steps, samples_seen, seconds: how long it took.
        first, last: loss of the first and of the last step; None where nothing was trained.
        losses: one per step.
    """

    run: str
    arm: str
    seed: int
    checkpoint: str
    steps: int
    samples_seen: int
    seconds: float
    first: float | None
    last: float | None
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """What two runs disagree on, and what each reached.

    Args:
        settings: fields of ``pretrain`` that change the weights.
        other_settings: fields that do not, such as threads.
        arms: what is learnt from, for how long and with which objective, by arm.
        recipes: fields of the recipes of two versions of one dataset that the runs learnt from.
        trainings: of both runs.
        same_checkpoints: arms and seeds whose checkpoint both runs share.
        scores: by task and arm.
        notes: what could not be compared, a line each.
    """

    before: str
    after: str
    settings: tuple[FieldChange, ...]
    other_settings: tuple[FieldChange, ...]
    arms: tuple[FieldChange, ...]
    recipes: tuple[FieldChange, ...]
    trainings: tuple[TrainedArm, ...]
    same_checkpoints: tuple[str, ...]
    scores: tuple[PairedScore, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    trials: RunTrials
    checkpoints: Sequence[Checkpoint]
    predictions: Sequence[KeptPredictions]


def known_runs(store: ObjectStore) -> list[str]:
    """The names of the runs that have a list of trials."""
    end = "/trials.json"
    return [info.key.removeprefix(RUNS).removesuffix(end) for info in store.list(RUNS) if info.key.endswith(end)]


def compare_runs(store: ObjectStore, before: str, after: str, bootstrap: int | None = None) -> RunComparison:
    """Compare the run `after` with the run `before`.

    Args:
        store: where both are.
        before, after: their names.
        bootstrap: resamples of the intervals; None takes what the runs were scored with, 1,000 where they were not.

    Raises:
        ObjectMissing: there is no such run; the message lists those that there are.
        CorruptShard: a list, a checkpoint or predictions cannot be read.
    """
    one, other = _read(store, before), _read(store, after)
    settings = _changes(_settings(one), _settings(other))
    recipes, notes = _recipes(store, one, other)
    held = {(item.arm, item.seed, item.fingerprint) for item in one.trials.trials}
    same = [item for item in other.trials.trials if (item.arm, item.seed, item.fingerprint) in held]
    scores = pair_scores(store, one.predictions, other.predictions, _section(store, (before, after), bootstrap))
    for run in (one, other):
        if not run.predictions:
            notes.append(f"run {run.trials.run} has no predictions: `synth evaluate` makes them")
    return RunComparison(
        before=before,
        after=after,
        settings=tuple(change for change in settings if _top(change) not in EXCLUDED),
        other_settings=tuple(change for change in settings if _top(change) in EXCLUDED),
        arms=tuple(_changes(_arms(one), _arms(other))),
        recipes=recipes,
        trainings=tuple(training for run in (one, other) for training in _trainings(run)),
        same_checkpoints=tuple(f"{item.arm}, seed {item.seed}" for item in same),
        scores=tuple(scores),
        notes=tuple(notes),
    )


def _read(store: ObjectStore, run: str) -> _Run:
    known = known_runs(store)
    if run not in known:
        listed = ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED} more" if len(known) > _LISTED else "")
        there = f"there are {listed}" if known else "there is none; `synth pretrain` makes one"
        raise ObjectMissing(f"no run {run!r} in {store.root}: {there}")
    trials = read_trials(store, run)
    checkpoints = [read_checkpoint(store, item.fingerprint) for item in trials.trials]
    return _Run(trials, checkpoints, kept_predictions(store, trials.trials))


def _section(store: ObjectStore, runs: Sequence[str], bootstrap: int | None) -> EvaluateSection:
    """How the first run that has scores made them, the comparison being that of the two runs."""
    tables = [scores.tables[0] for run in runs if (scores := kept_scores(store, run)) is not None]
    asked: dict[str, Any] = {"comparisons": ((AFTER, BEFORE),)}
    if tables:
        first = tables[0]
        asked |= {"bootstrap": first.bootstrap, "confidence": first.confidence, "uncertain": first.uncertain}
    return EvaluateSection.model_validate(asked | ({} if bootstrap is None else {"bootstrap": bootstrap}))


def _settings(run: _Run) -> dict[str, Any]:
    """Fields of ``pretrain`` with their values; several where the checkpoints of a run were trained apart."""
    found: dict[str, list[Any]] = {}
    for held in run.checkpoints:
        for path, value in leaves({k: v for k, v in held.pretrain.items() if k not in _INSIDE}).items():
            values = found.setdefault(path, [])
            if value not in values:
                values.append(value)
    return {path: values[0] if len(values) == 1 else values for path, values in found.items()}


def _arms(run: _Run) -> dict[str, Any]:
    """By arm as the run names it, what its first seed learnt from and how; and the seeds."""
    found: dict[str, Any] = {}
    for item, held in zip(run.trials.trials, run.checkpoints, strict=True):
        arm, name = held.trial.arm, item.arm  # arms of other names may share a checkpoint
        if f"{name}.seeds" in found:
            found[f"{name}.seeds"] += f", {item.seed}"
            continue
        objective = held.trial.objective
        found |= {f"{name}.seeds": str(item.seed), f"{name}.control": arm.control}
        found |= {f"{name}.schedule": arm.schedule, f"{name}.text": arm.text, f"{name}.objective": objective.kind}
        found |= {f"{name}.objective.{option}": value for option, value in leaves(dict(objective.options)).items()}
        found[f"{name}.samples_seen"] = arm.samples_seen
        found |= {f"{name}.mix.{at}": _drawn(draw) for at, draw in enumerate(arm.mix)}
    return found


def _drawn(draw: Draw) -> str:
    of = f"/{draw.selection} ({draw.selected[:12]})" if draw.selection else ""
    return f"{draw.pairs} of {draw.dataset}@{draw.version}{of}, fingerprint {draw.fingerprint[:12]}"


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Fields with different values; an arm that only one side has is one line."""
    changes: dict[str, FieldChange] = {}
    for path in dict.fromkeys([*before, *after]):
        one, other = before.get(path), after.get(path)
        if one != other:
            changes[path] = FieldChange(path, one, other)
    for path in [path for path in changes if path.endswith(".seeds") and None in (before.get(path), after.get(path))]:
        arm = path.removesuffix("seeds")
        one, other = (_ABSENT if side.get(path) is None else f"seeds {side[path]}" for side in (before, after))
        changes = {name: change for name, change in changes.items() if not name.startswith(arm)}
        changes[arm] = FieldChange(arm.removesuffix("."), one, other)
    return list(changes.values())


def _top(change: FieldChange) -> str:
    return change.path.partition(".")[0]


def _recipes(store: ObjectStore, one: _Run, other: _Run) -> tuple[tuple[FieldChange, ...], list[str]]:
    """How the recipes differ of a dataset that each run learnt from in one version of its own."""
    found: list[FieldChange] = []
    notes: list[str] = []
    versions = [_versions(run) for run in (one, other)]
    for name in versions[0]:
        pair = versions[0][name], versions[1].get(name, [])
        if pair[0] == pair[1] or [len(side) for side in pair] != [1, 1]:
            continue
        try:
            recipes = [frozen_recipe(Version.open(store, DatasetRef(name, side[0])))[1] for side in pair]
        except StoreError as error:
            notes.append(f"recipes of {name} are not compared: {error}")
            continue
        found += diff(recipes[0], recipes[1])
    return tuple(found), notes


def _versions(run: _Run) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for held in run.checkpoints:
        for draw in held.trial.arm.mix:
            versions = found.setdefault(draw.dataset, [])
            if draw.version not in versions:
                versions.append(draw.version)
    return found


def _trainings(run: _Run) -> list[TrainedArm]:
    return [
        TrainedArm(
            run=run.trials.run,
            arm=item.arm,
            seed=item.seed,
            checkpoint=held.fingerprint[:12],
            steps=held.step,
            samples_seen=held.samples_seen,
            seconds=held.seconds,
            first=held.losses[0] if held.losses else None,
            last=held.losses[-1] if held.losses else None,
            losses=held.losses,
        )
        for item, held in zip(run.trials.trials, run.checkpoints, strict=True)
    ]
