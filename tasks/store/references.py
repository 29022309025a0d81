"""Who refers to a dataset version: selections, training runs, evaluations, tags and later versions."""

from __future__ import annotations

import json

from storage.errors import ManifestConflict
from storage.layout import RUNS, SELECTIONS, DatasetRef
from storage.manifest import find_manifest
from storage.objects import ObjectStore
from storage.records import Record
from storage.tags import Tag, tags
from storage.versions import published
from tasks.pretrain.arms import Source
from tasks.pretrain.checkpoint import read_facts

PARENT = "parent"


class Training(Record):
    """One arm of one run, and what it was trained on with which seed."""

    run: str
    arm: str
    seed: int
    sources: tuple[Source, ...]

    def of(self, ref: DatasetRef) -> list[Source]:
        """The sources that are `ref`."""
        return [source for source in self.sources if (source.dataset, source.version) == (ref.name, ref.version)]


class Evaluation(Record):
    """One run's scores, and the version they were measured on."""

    run: str
    dataset: str


class References(Record):
    """Everything in a store that refers to versions; `damaged` are objects that cannot be read as what they are.

    `parents` maps a published version to the version that its manifest names as its parent.
    """

    tags: list[Tag]
    selections: dict[str, list[str]]
    trainings: list[Training]
    evaluations: list[Evaluation]
    parents: dict[str, str]
    damaged: list[str]

    def to(self, ref: DatasetRef) -> list[str]:
        """Every reference to `ref`, one readable line each."""
        lines = [f"tag {tag.tag}" for tag in self.tags if tag.ref == ref]
        lines += [f"selection {name}" for name in self.selections.get(str(ref), [])]
        lines += [f"checkpoint of arm {item.arm} of run {item.run}" for item in self.trainings if item.of(ref)]
        lines += [f"scores of run {item.run}" for item in self.evaluations if item.dataset == str(ref)]
        return lines + [f"version {child}" for child, parent in self.parents.items() if parent == str(ref)]


def references(store: ObjectStore) -> References:
    """Read every tag, selection name, checkpoint header, score table and manifest of a store."""
    selections: dict[str, list[str]] = {}
    for info in store.list(SELECTIONS):
        name, version, selection, *_ = info.key.removeprefix(SELECTIONS).split("/")
        held = selections.setdefault(f"{name}/{version}", [])
        held += [selection] if selection not in held else []
    trainings, evaluations, damaged = [], [], []
    for info in store.list(RUNS):
        try:
            if info.key.endswith("/checkpoint.safetensors"):
                trainings.append(_training(store, info.key))
            elif info.key.endswith("/scores.json"):
                run = info.key.removeprefix(RUNS).removesuffix("/scores.json")
                evaluations.append(Evaluation(run=run, dataset=json.loads(store.get(info.key))["dataset"]))
        except (ValueError, KeyError, TypeError):
            damaged.append(info.key)
    parents = {}
    for ref in published(store):
        try:
            manifest = find_manifest(store, ref)
        except ManifestConflict:
            damaged.append(ref.manifest)
            continue
        if manifest is not None and PARENT in manifest.lineage:
            parents[str(ref)] = manifest.lineage[PARENT]
    return References(
        tags=tags(store),
        selections=selections,
        trainings=trainings,
        evaluations=evaluations,
        parents=parents,
        damaged=damaged,
    )


def _training(store: ObjectStore, key: str) -> Training:
    """What a checkpoint's header says of its arm; the weights are not read."""
    facts = read_facts(store, key)
    run, arm, _ = key.removeprefix(RUNS).rsplit("/", 2)
    return Training(run=run, arm=arm, seed=facts["seed"], sources=facts["arm"]["sources"])
