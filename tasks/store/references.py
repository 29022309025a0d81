"""Who refers to a dataset version: selections, training runs, evaluations, tags and later versions."""

from __future__ import annotations

from pydantic import ValidationError

from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import CorruptShard, ManifestConflict, ObjectMissing
from storage.layout import RUNS, SELECTIONS, DatasetRef, foreign, split_selection
from storage.manifest import find_manifest
from storage.objects import ObjectStore
from storage.records import Record
from storage.tags import BadTag, Tag, newest_tags, read_tag
from storage.versions import published
from tasks.pretrain.arms import Source
from tasks.pretrain.checkpoint import read_facts

PARENT = "parent"
_UNREADABLE = (BadDocument, CorruptShard, ValueError)


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
    """Everything in a store that refers to versions.

    Args:
        parents: maps a published version to the version that its manifest names as its parent.
        damaged: objects that cannot be read as what they are, with the reason.
        foreign: objects among them that this project does not write; nothing is read from them.
    """

    tags: list[Tag]
    selections: dict[str, list[str]]
    trainings: list[Training]
    evaluations: list[Evaluation]
    parents: dict[str, str]
    damaged: dict[str, str]
    foreign: list[str]

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
    trainings, evaluations, strange = [], [], []
    damaged: dict[str, str] = {}
    for info in store.list(SELECTIONS):
        found = split_selection(info.key)
        if found is None:
            strange.append(info.key)
        else:
            selections.setdefault(str(found[0]), []).append(found[1])
    for info in store.list(RUNS):
        if foreign(info.key):
            strange.append(info.key)
            continue
        try:
            if info.key.endswith("/checkpoint.safetensors"):
                trainings.append(_training(store, info.key))
            elif info.key.endswith("/scores.json"):
                evaluations.append(_evaluation(store, info.key))
        except ObjectMissing:
            continue  # removed since the listing
        except _UNREADABLE as error:
            damaged[info.key] = _reason(error)
    return References(
        tags=_tags(store, damaged),
        selections={ref: sorted(names) for ref, names in selections.items()},
        trainings=trainings,
        evaluations=evaluations,
        parents=_parents(store, damaged),
        damaged=damaged,
        foreign=strange,
    )


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


def _training(store: ObjectStore, key: str) -> Training:
    """What a checkpoint's header says of its arm; the weights are not read."""
    facts = read_facts(store, key)
    run, arm, _ = key.removeprefix(RUNS).rsplit("/", 2)
    return Training.model_validate({"run": run, "arm": arm, "seed": facts["seed"], "sources": facts["arm"]["sources"]})


def _evaluation(store: ObjectStore, key: str) -> Evaluation:
    document = parse_json(read_bounded(store, key))
    run = key.removeprefix(RUNS).removesuffix("/scores.json")
    dataset = document.get("dataset") if isinstance(document, dict) else None
    return Evaluation.model_validate({"run": run, "dataset": dataset})
