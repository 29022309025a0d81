"""Who refers to a dataset version: selections, training runs, evaluations, tags and later versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import CorruptShard, ManifestConflict, ObjectMissing
from storage.layout import (
    CHECKPOINTS,
    PREDICTIONS,
    RUNS,
    SELECTIONS,
    DatasetRef,
    foreign,
    split_checkpoint,
    split_prediction,
    split_selection,
    trial_key,
)
from storage.manifest import find_manifest
from storage.objects import ObjectStore
from storage.records import Record
from storage.tags import BadTag, Tag, newest_tags, read_tag
from storage.versions import published
from tasks.pretrain.arms import Draw
from tasks.pretrain.checkpoint import Checkpoint, read_checkpoint, read_facts, read_header
from tasks.pretrain.runs import RunTrials

PARENT = "parent"
_UNREADABLE = (BadDocument, CorruptShard, ValueError)


class Training(Record):
    """One checkpoint, and what it was trained on with which seed.

    Args:
        key: where it is.
        arm: the name it was first trained under.
        runs: the runs that refer to it.
    """

    key: str
    arm: str
    seed: int
    draws: tuple[Draw, ...]
    runs: tuple[str, ...] = ()

    def of(self, ref: DatasetRef) -> list[Draw]:
        """The draws from `ref`."""
        return [draw for draw in self.draws if (draw.dataset, draw.version) == (ref.name, ref.version)]

    def __str__(self) -> str:
        runs = f", run {', '.join(self.runs)}" if self.runs else ""
        return f"arm {self.arm}, seed {self.seed} ({self.key}){runs}"


class Evaluation(Record):
    """One run's scores, and the version they were measured on."""

    run: str
    dataset: str


class References(Record):
    """Everything in a store that refers to versions.

    Args:
        predictions: maps the key of predictions to the version they are about.
        parents: maps a published version to the version that its manifest names as its parent.
        damaged: objects that cannot be read as what they are, with the reason.
        foreign: objects among them that this project does not write; nothing is read from them.
    """

    tags: list[Tag]
    selections: dict[str, list[str]]
    trainings: list[Training]
    evaluations: list[Evaluation]
    predictions: dict[str, str]
    parents: dict[str, str]
    damaged: dict[str, str]
    foreign: list[str]

    def to(self, ref: DatasetRef) -> list[str]:
        """Every reference to `ref`, one readable line each."""
        lines = [f"tag {tag.tag}" for tag in self.tags if tag.ref == ref]
        lines += [f"selection {name}" for name in self.selections.get(str(ref), [])]
        lines += [f"checkpoint of {item}" for item in self.trainings if item.of(ref)]
        lines += [f"scores of run {item.run}" for item in self.evaluations if item.dataset == str(ref)]
        lines += [f"predictions {key}" for key, tested in self.predictions.items() if tested == str(ref)]
        return lines + [f"version {child}" for child, parent in self.parents.items() if parent == str(ref)]


def references(store: ObjectStore) -> References:
    """Read every tag, selection name, checkpoint's facts, list of trials, score table and manifest of a store."""
    damaged: dict[str, str] = {}
    strange: list[str] = []
    selections: dict[str, list[str]] = {}
    for key in _ours(store, SELECTIONS, strange):
        if found := split_selection(key):
            selections.setdefault(str(found[0]), []).append(found[1])
    predictions = {}
    for key in _ours(store, PREDICTIONS, strange):
        if tested := split_prediction(key):
            predictions[key] = str(tested[2])
    runs, trainings, evaluations = _of_runs(store, damaged, strange)
    return References(
        tags=_tags(store, damaged),
        selections={ref: sorted(names) for ref, names in selections.items()},
        trainings=[*trainings, *_trainings(store, runs, damaged, strange)],
        evaluations=evaluations,
        predictions=predictions,
        parents=_parents(store, damaged),
        damaged=damaged,
        foreign=strange,
    )


def _ours(store: ObjectStore, folder: str, strange: list[str]) -> Iterator[str]:
    """The keys of a folder; those that this project does not write are put aside."""
    for info in store.list(folder):
        if foreign(info.key):
            strange.append(info.key)
        else:
            yield info.key


def _of_runs(
    store: ObjectStore, damaged: dict[str, str], strange: list[str]
) -> tuple[dict[str, list[str]], list[Training], list[Evaluation]]:
    """The runs that refer to each trial, and what runs of format 1 hold themselves: checkpoints; and all scores."""
    runs: dict[str, list[str]] = {}
    trainings: list[Training] = []
    evaluations: list[Evaluation] = []
    for key in _ours(store, RUNS, strange):
        with _noted(key, damaged):
            if key.endswith("/checkpoint.safetensors"):
                trainings.append(_first_format(store, key))
            elif key.endswith("/scores.json"):
                evaluations.append(_evaluation(store, key))
            elif key.endswith("/trials.json"):
                listed = RunTrials.model_validate(parse_json(read_bounded(store, key)))
                for trial in listed.trials:
                    runs.setdefault(trial.fingerprint, []).append(key.removeprefix(RUNS).removesuffix("/trials.json"))
    return runs, trainings, evaluations


def _trainings(
    store: ObjectStore, runs: dict[str, list[str]], damaged: dict[str, str], strange: list[str]
) -> list[Training]:
    """The trials that have a checkpoint; of one without ``trial.json`` the header of its last weights is read."""
    weights: dict[str, str] = {}
    held_by_runs: set[str] = set()
    for key in _ours(store, CHECKPOINTS, strange):
        fingerprint, step = split_checkpoint(key) or ("", None)
        if key == trial_key(fingerprint):
            held_by_runs.add(fingerprint)
        elif step is not None:
            weights[fingerprint] = max(weights.get(fingerprint, ""), key)
    found = []
    for fingerprint in sorted(held_by_runs | weights.keys()):
        key = trial_key(fingerprint) if fingerprint in held_by_runs else weights[fingerprint]
        with _noted(key, damaged):
            held = read_checkpoint(store, fingerprint) if fingerprint in held_by_runs else read_facts(store, key)
            found.append(_training(held, tuple(runs.get(fingerprint, ()))))
    return found


def _training(held: Checkpoint, runs: tuple[str, ...]) -> Training:
    arm = held.trial.arm
    return Training(key=held.key, arm=arm.name, seed=held.trial.seed, draws=arm.mix, runs=runs)


@contextmanager
def _noted(key: str, damaged: dict[str, str]) -> Iterator[None]:
    """What cannot be read is noted under its key; what was removed since the listing is passed over."""
    try:
        yield
    except ObjectMissing:
        return
    except _UNREADABLE as error:
        damaged[key] = _reason(error)


def _reason(error: Exception) -> str:
    return first_problem(error) if isinstance(error, ValidationError) else str(error)


def _tags(store: ObjectStore, damaged: dict[str, str]) -> list[Tag]:
    found = []
    for key in newest_tags(store):
        try:
            found.append(read_tag(store, key))
        except BadTag as error:
            damaged[key] = str(error)
    return found


def _parents(store: ObjectStore, damaged: dict[str, str]) -> dict[str, str]:
    parents = {}
    for ref in published(store):
        try:
            manifest = find_manifest(store, ref)
        except ManifestConflict as error:
            damaged[ref.manifest] = str(error)
            continue
        if manifest is not None and PARENT in manifest.lineage:
            parents[str(ref)] = manifest.lineage[PARENT]
    return parents


def _first_format(store: ObjectStore, key: str) -> Training:
    """The arm in the header of a checkpoint of format 1; it lies in its run's folder."""
    facts = read_header(store, key)
    run, arm, _ = key.removeprefix(RUNS).rsplit("/", 2)
    described = facts.get("arm")
    draws = described.get("sources") if isinstance(described, dict) else None
    return Training.model_validate({"key": key, "arm": arm, "seed": facts.get("seed"), "draws": draws, "runs": [run]})


def _evaluation(store: ObjectStore, key: str) -> Evaluation:
    document = parse_json(read_bounded(store, key))
    run = key.removeprefix(RUNS).removesuffix("/scores.json")
    dataset = document.get("dataset") if isinstance(document, dict) else None
    return Evaluation.model_validate({"run": run, "dataset": dataset})
