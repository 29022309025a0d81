"""Begin a dataset version with its frozen recipe, and close it with its manifest."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from models.contracts import one_line
from storage.documents import BadDocument, read_bounded
from storage.errors import AlreadyExists, ObjectMissing, StoreError
from storage.manifest import find_manifest, hash_documents, write_manifest
from storage.records import Manifest, RejectRow, ShardEntry
from storage.versions import Version, VersionPlace
from tasks.publish.frozen_weights import Hashes, freeze_weights, weight_changes
from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import explain_diff
from tasks.recipe.paths import published
from tasks.recipe.reading import parse_yaml
from tasks.text_files import TextError, decode_text

_MARK = "# fingerprint: "
_SHOWN = 3
_MOST = 4 << 20
_REMEDY = "restore it, or choose another name for the version"


class NothingAccepted(StoreError):
    """A version without a single pair: it is not published; the message states what took the samples."""


class RecipeChanged(StoreError):
    """The version was begun with a recipe that makes other samples; the message shows what differs."""


def open_version(place: VersionPlace, recipe_yaml: str, fingerprint: str, weights: Hashes | None = None) -> None:
    """Freeze the recipe of a version and its weights, or see that the frozen ones make the same samples.

    Args:
        place: of the version.
        recipe_yaml, fingerprint: its recipe.
        weights: hashes of the weights that the recipe's models load; None for a version that no model makes.

    Raises:
        RecipeChanged: the version has a recipe with another fingerprint.
        WeightsChanged: it was begun with other weights.
    """
    try:
        text = f"{_MARK}{fingerprint}\n{recipe_yaml}"
        place.store.put(place.ref.recipe, text.encode(), content_type="application/yaml")
    except AlreadyExists:
        wanted = _Wanted(recipe_yaml, fingerprint, None if weights is None else lambda: weights)
        _same_recipe(place, "begun", frozen_recipe(place)[0], wanted)
    if weights is not None:
        freeze_weights(place, weights)


def find_version(
    place: VersionPlace,
    recipe_yaml: str,
    fingerprint: str,
    weights: Callable[[], Hashes] | None = None,
) -> Manifest | None:
    """The manifest of the version that a recipe names, None while it is not published.

    Versions are found by a recipe's name for them only here, so that no other recipe's samples are taken for it.

    Args:
        place: of the version.
        recipe_yaml, fingerprint: the recipe.
        weights: hashes of the recipe's weights, which are asked for only to say which of them differ.

    Raises:
        RecipeChanged: the version is published, or was begun, with a recipe of another fingerprint.
        ManifestConflict: its manifest cannot be trusted.
    """
    manifest, wanted = find_manifest(place.store, place.ref), _Wanted(recipe_yaml, fingerprint, weights)
    if manifest is not None:
        _same_recipe(place, "published", manifest.fingerprint, wanted)
    elif place.store.head(place.ref.recipe) is not None:
        _same_recipe(place, "begun", frozen_recipe(place)[0], wanted)
    return manifest


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The recipe that a version is asked for with."""

    recipe_yaml: str
    fingerprint: str
    weights: Callable[[], Hashes] | None = None


def _same_recipe(place: VersionPlace, state: str, stored: str, wanted: _Wanted) -> None:
    if stored == wanted.fingerprint:
        return
    try:
        changes = explain_diff(published(frozen_recipe(place)[1]), parse_yaml(wanted.recipe_yaml, "recipe"))
    except (ObjectMissing, RecipeChanged) as error:
        changes = f"how they differ cannot be read ({error})"
    other = weight_changes(place, wanted.weights()) if wanted.weights else []
    if other:
        changes += "\n" + "\n".join(["these weights differ:", *(f"  {change}" for change in other)])
    raise RecipeChanged(
        f"{place} in {place.store.root} was {state} with another recipe: fingerprint {stored[:12]} there, "
        f"{wanted.fingerprint[:12]} here; {changes}\n"
        "choose another name for the version (version=...) or leave it on 'auto', or go back to the stored recipe"
    )


def frozen_recipe(place: VersionPlace) -> tuple[str, dict[str, Any]]:
    """Fingerprint and plain mapping of a version's ``recipe.yaml``.

    Raises:
        ObjectMissing: the version was never begun.
        RecipeChanged: the file was not written by `open_version`, or is damaged.
    """
    where = place.store.uri(place.ref.recipe)
    try:
        text = decode_text(read_bounded(place.store, place.ref.recipe, _MOST), where)
        document = parse_yaml(text, where)
    except (BadDocument, TextError) as error:
        raise RecipeChanged(f"{where} is damaged: {error}; {_REMEDY}") from error
    except RecipeError as error:
        raise RecipeChanged(f"{where} is damaged: {'; '.join(error.problems)}; {_REMEDY}") from error
    first = text.partition("\n")[0]
    if not first.startswith(_MARK) or not isinstance(document, dict):
        raise RecipeChanged(f"{where} does not begin with '{_MARK}…': it was not written by synthcxr; {_REMEDY}")
    return first.removeprefix(_MARK).strip(), document


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """The facts of a manifest beside its shards.

    Args:
        fingerprint: of the recipe.
        asked: pairs the recipe asked for.
        models: model cards by stage.
        lineage: what the version was made from, by role.
        statistics: anything measured; JSON values.
        licence: SPDX id for the data.
        credentialed: whether the data may be shared only with credentialed users.
        label_set: name of the label set of the labels.
        agreement: the use agreement that comes with the data, in words.
    """

    fingerprint: str
    asked: int
    models: Mapping[str, Mapping[str, Any]]
    lineage: Mapping[str, str] | None = None
    statistics: Mapping[str, Any] | None = None
    licence: str = "Apache-2.0"
    credentialed: bool = False
    label_set: str = ""
    agreement: str = ""


def make_manifest(place: VersionPlace, shards: Sequence[ShardEntry], facts: ManifestFacts) -> Manifest:
    """The manifest of a version's committed `shards`; counts and hashes are of what is stored, and nothing is written.

    Raises:
        NothingAccepted: no shard holds a pair.
    """
    ordered = sorted(shards, key=lambda shard: shard.shard)
    draft = Manifest(
        dataset=place.ref.name,
        version=place.ref.version,
        fingerprint=facts.fingerprint,
        created=datetime.now(UTC).replace(microsecond=0),
        asked=facts.asked,
        accepted=sum(shard.accepted for shard in ordered),
        rejected=sum(shard.rejected for shard in ordered),
        shards=ordered,
        models={stage: dict(card) for stage, card in facts.models.items()},
        rejected_by_gate={},
        entity_counts={},
        lineage=dict(facts.lineage or {}),
        licence=facts.licence,
        credentialed=facts.credentialed,
        label_set=facts.label_set,
        agreement=facts.agreement,
        statistics=dict(facts.statistics or {}),
        code_version=_code_version(),
    )
    version = Version(place.store, place.ref, draft)
    if not draft.accepted:
        raise NothingAccepted(_why_empty(version, list(version.rejects())))
    gates = Counter(row.gate for row in version.rejects())
    entities = Counter(entity for row in version.rows() for entity in row.entities)
    counted = {"rejected_by_gate": dict(sorted(gates.items())), "entity_counts": dict(sorted(entities.items()))}
    return draft.model_copy(update={**counted, "documents": hash_documents(place.store, place.ref, draft)})


def publish_manifest(place: VersionPlace, shards: Sequence[ShardEntry], facts: ManifestFacts) -> Manifest:
    """Close the version: `make_manifest`, then write it, once.

    Raises:
        ManifestConflict: the version is closed with other shards.
        NothingAccepted: see `make_manifest`.
    """
    stored = find_manifest_of(place, shards, facts.fingerprint)
    return stored or write_manifest(place.store, place.ref, make_manifest(place, shards, facts))


def _why_empty(version: Version, rejects: Sequence[RejectRow]) -> str:
    """What took the samples of a version without a pair, most first, each with the reason of its first."""
    first = {r.gate: r.reason or f"{r.score:.3g}, {r.threshold:.3g} was needed" for r in reversed(rejects)}
    worst = Counter(row.gate for row in rejects).most_common(_SHOWN)
    taken = "; ".join(f"{gate} took {count} ({one_line(first[gate])})" for gate, count in worst)
    return (
        f"{version}: none of its {len(rejects)} samples was accepted, so nothing is published: "
        f"{taken or 'it has no shard'}; change the generators' options or the gates in the profile and run again"
    )


def find_manifest_of(place: VersionPlace, shards: Sequence[ShardEntry], fingerprint: str) -> Manifest | None:
    """The stored manifest if it is of this recipe and holds exactly `shards`."""
    stored = find_manifest(place.store, place.ref)
    wanted = sorted(shards, key=lambda shard: shard.shard)
    same = stored is not None and (stored.fingerprint, stored.shards) == (fingerprint, wanted)
    return stored if same else None


def _code_version() -> str:
    try:
        return importlib.metadata.version("synthcxr")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return ""
