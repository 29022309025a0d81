"""Which versions a store holds, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from storage.errors import DatasetMissing, ManifestConflict
from storage.layout import DatasetRef
from storage.manifest import find_manifest, objects
from storage.objects import ObjectStore
from storage.records import Manifest
from storage.tags import find_tag, tags
from storage.versions import Version, VersionPlace, begun
from tasks.publish.dataset import frozen_recipe
from tasks.recipe.fingerprint import FieldChange, leaves, reason_excluded
from tasks.store.references import PARENT


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version as a line of a table; the fields of a manifest are None while there is none.

    `source` is where the films of a version are from that was not generated, `trouble` why a manifest that is there
    cannot be trusted.
    """

    ref: DatasetRef
    created: datetime | None = None
    asked: int | None = None
    accepted: int | None = None
    shards: int | None = None
    size: int | None = None
    parent: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What two versions disagree on.

    Args:
        recipe: fields that change the samples.
        settings: fields that do not.
        facts: statistics, models, licence and code, by name: before and after.
        entities: how often an entity occurs, where that differs, largest difference first.
    """

    before: DatasetRef
    after: DatasetRef
    recipe: tuple[FieldChange, ...]
    settings: tuple[FieldChange, ...]
    facts: tuple[FieldChange, ...]
    entities: tuple[FieldChange, ...]


def history(store: ObjectStore, name: str = "") -> list[VersionLine]:
    """All versions of the dataset `name`, or of all datasets: oldest first, unfinished last.

    Raises:
        DatasetMissing: there is no such dataset.
    """
    refs = begun(store, name)
    if name and not refs:
        raise DatasetMissing(f"no dataset {name!r} in {store.root}: `synth versions` lists what is there")
    marks: dict[DatasetRef, list[str]] = {}
    for tag in tags(store, name):
        marks.setdefault(tag.ref, []).append(tag.tag)
    lines = [_line(VersionPlace(store, ref), tuple(marks.get(ref, ()))) for ref in refs]
    return sorted(lines, key=lambda line: (line.ref.name, line.created is None, line.created, line.ref.version))


def parent_of(place: VersionPlace) -> dict[str, str]:
    """The lineage of a version about to be published: the dataset's latest version before it, if there is one."""
    tag = find_tag(place.store, place.ref.name, "latest")
    return {PARENT: str(tag.ref)} if tag is not None and tag.ref != place.ref else {}


def compare(before: Version, after: Version) -> VersionDiff:
    """How two published versions differ, in recipe and in what came of it."""
    one, other = before.manifest, after.manifest
    fields = _changes(*(leaves(frozen_recipe(each)[1]) for each in (before, after)))
    entities = _changes(one.entity_counts, other.entity_counts)
    return VersionDiff(
        before=before.ref,
        after=after.ref,
        recipe=tuple(change for change in fields if reason_excluded(change.path) is None),
        settings=tuple(change for change in fields if reason_excluded(change.path) is not None),
        facts=tuple(_changes(_facts(one), _facts(other))),
        entities=tuple(sorted(entities, key=lambda change: -abs((change.after or 0) - (change.before or 0)))),
    )


def _line(place: VersionPlace, marks: tuple[str, ...]) -> VersionLine:
    ref = place.ref
    try:
        manifest = find_manifest(place.store, ref)
    except ManifestConflict as error:
        return VersionLine(ref, tags=marks, trouble=str(error))
    if manifest is None:
        return VersionLine(ref, tags=marks)
    return VersionLine(
        ref=ref,
        created=manifest.created,
        asked=manifest.asked,
        accepted=manifest.accepted,
        shards=len(manifest.shards),
        size=sum(entry.size for entry in objects(manifest)),
        parent=manifest.lineage.get(PARENT, ""),
        source=source_of(manifest),
        tags=marks,
    )


def source_of(manifest: Manifest) -> str:
    """Where the films of a version are from that was not generated: an archive or a phantom hospital; else empty."""
    archive, renderer = manifest.models.get("archive"), manifest.models.get("renderer", {})
    if archive is not None:
        return str(archive.get("name", ""))
    return f"phantom, {renderer.get('name', '')}" if renderer.get("kind") == "phantom" else ""


def _facts(manifest: Manifest) -> dict[str, Any]:
    lost = {f"rejected by {gate}": number for gate, number in manifest.rejected_by_gate.items()}
    tried = manifest.accepted + manifest.rejected
    models = leaves({f"model of {stage}": card for stage, card in manifest.models.items()})
    return {
        "pairs asked": manifest.asked,
        "pairs accepted": manifest.accepted,
        "samples tried": tried,
        "accepted share": round(manifest.accepted / tried, 4) if tried else None,
        **lost,
        "shards": len(manifest.shards),
        "bytes": sum(entry.size for entry in objects(manifest)),
        **models,
        **leaves({"statistics": manifest.statistics, "lineage": manifest.lineage}),
        "licence": manifest.licence,
        "credentialed": manifest.credentialed,
        "label set": manifest.label_set,
        "agreement": manifest.agreement,
        "code version": manifest.code_version,
    }


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    paths = dict.fromkeys([*before, *after])
    return [FieldChange(p, before.get(p), after.get(p)) for p in paths if before.get(p) != after.get(p)]
