"""What evaluation tasks there are, which public test sets can serve each, and which of these a store has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from models.registry import factory_of, schemas
from storage.manifest import find_manifest
from storage.objects import ObjectStore
from storage.records import Record
from storage.versions import published
from tasks.corpora.archives.catalogue import CATALOGUE, PHANTOM, EvaluationDataset
from tasks.evaluate.protocol import TASKS
from tasks.evaluate.task_files import shipped_tasks


class ServingDataset(Record):
    """A public test set that holds what a task needs.

    Args:
        name: as it is published.
        versions: of it in the store, as sources spell them; empty where it is missing.
        get: how it is had where it is missing; empty where nothing has to be got.
        notes: what a reader of scores should know.
    """

    name: str
    versions: tuple[str, ...]
    get: str
    notes: str


class TaskDescription(Record):
    """An evaluation task by kind.

    Args:
        kind: its name.
        description: what it measures.
        options: defaults of its options, by name.
        allowed: values that an option takes, where they are listed.
        needs: what the rows of a test set must hold, such as ``labels``, or ``boxes or masks`` where one is enough.
        named: shipped task files of this kind, with their versions.
        datasets: test sets that can serve it.
    """

    kind: str
    description: str
    options: dict[str, Any]
    allowed: dict[str, tuple[Any, ...]]
    needs: tuple[str, ...]
    named: dict[str, int | None]
    datasets: tuple[ServingDataset, ...]


def describe_tasks(store: ObjectStore | None = None) -> tuple[TaskDescription, ...]:
    """Every kind of `TASKS`, by name.

    Args:
        store: asked which test sets it has, by the manifests of its versions; None: it has none.
    """
    held = {} if store is None else _held(store)
    found = schemas({"tasks": TASKS})["tasks"]
    return tuple(_described(kind, found[kind], held) for kind in sorted(found))


def _described(kind: str, schema: Mapping[str, Any], held: Mapping[str, Sequence[str]]) -> TaskDescription:
    needs = _needs(kind)
    options: dict[str, Mapping[str, Any]] = schema.get("properties", {})
    return TaskDescription(
        kind=kind,
        description=" ".join(str(schema["description"]).partition("\n\n")[0].split()),
        options={name: option.get("default") for name, option in options.items()},
        allowed={name: tuple(option["enum"]) for name, option in options.items() if "enum" in option},
        needs=tuple(" or ".join(group) for group in needs),
        named={name: task.version for name, task in shipped_tasks().items() if task.kind == kind},
        datasets=tuple(_serving(each, held) for each in CATALOGUE if _serves(each, needs)),
    )


def _needs(kind: str) -> tuple[tuple[str, ...], ...]:
    """Groups of fields, of each of which a test set must hold one."""
    return tuple(tuple(group.split("|")) for group in sorted(factory_of(TASKS, kind).needs))


def _serves(dataset: EvaluationDataset, needs: Sequence[Sequence[str]]) -> bool:
    return all(len(dataset.lacks(*group)) < len(group) for group in needs)


def _serving(dataset: EvaluationDataset, held: Mapping[str, Sequence[str]]) -> ServingDataset:
    versions = tuple(held.get(dataset.layout, ()))
    if dataset.layout == PHANTOM:
        get = "nothing to get: `--on phantom:b` renders it"
    else:
        get = f"missing: {dataset.where_to_get} ({dataset.access}), then `synth ingest {dataset.layout}:FOLDER`"
    return ServingDataset(name=dataset.name, versions=versions, get="" if versions else get, notes=dataset.notes)


def _held(store: ObjectStore) -> dict[str, list[str]]:
    """The ingested versions of a store by the layout of their archive; those of the phantom are not listed."""
    found: dict[str, list[str]] = {}
    for ref in published(store):
        manifest = find_manifest(store, ref)
        kind = str(manifest.models.get("archive", {}).get("kind", "")) if manifest is not None else ""
        if kind:
            found.setdefault(kind, []).append(f"{ref.name}@{ref.version}")
    return found
