"""Begin a dataset version with its frozen recipe, and close it with its manifest."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from storage.errors import AlreadyExists, StoreError
from storage.layout import DatasetRef
from storage.manifest import find_manifest, write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest, ShardEntry
from storage.versions import pair_rows, reject_rows
from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import explain_diff
from tasks.recipe.paths import published
from tasks.recipe.reading import parse_yaml
from tasks.text_files import TextError, decode_text

_MARK = "# fingerprint: "


class RecipeChanged(StoreError):
    """The version was begun with a recipe that makes other samples; the message shows what differs."""


def open_version(store: ObjectStore, ref: DatasetRef, recipe_yaml: str, fingerprint: str) -> None:
    """Freeze the recipe of a version, or see that the frozen one makes the same samples.

    Raises:
        RecipeChanged: the version has a recipe with another fingerprint.
    """
    try:
        store.put(ref.recipe, f"{_MARK}{fingerprint}\n{recipe_yaml}".encode(), content_type="application/yaml")
        return
    except AlreadyExists:
        stored_fingerprint, stored = frozen_recipe(store, ref)
    if stored_fingerprint != fingerprint:
        changes = explain_diff(published(stored), parse_yaml(recipe_yaml, "recipe"))
        raise RecipeChanged(
            f"{ref} in {store.root} was begun with another recipe; {changes}\n"
            "Choose another dataset or version (or leave version on 'auto'), or go back to the frozen recipe."
        )


def frozen_recipe(store: ObjectStore, ref: DatasetRef) -> tuple[str, dict[str, Any]]:
    """Fingerprint and plain mapping of a version's ``recipe.yaml``.

    Raises:
        ObjectMissing: the version was never begun.
        RecipeChanged: the file was not written by `open_version`.
    """
    where = store.uri(ref.recipe)
    try:
        text = decode_text(store.get(ref.recipe), where)
        document = parse_yaml(text, where)
    except (TextError, RecipeError) as error:
        raise RecipeChanged(f"{error}: it was not written by synthcxr") from None
    first = text.partition("\n")[0]
    if not first.startswith(_MARK) or not isinstance(document, dict):
        raise RecipeChanged(f"{where} does not begin with '{_MARK}…': it was not written by synthcxr")
    return first.removeprefix(_MARK).strip(), document


def make_manifest(
    store: ObjectStore,
    ref: DatasetRef,
    shards: Sequence[ShardEntry],
    *,
    fingerprint: str,
    asked: int,
    models: Mapping[str, Mapping[str, Any]],
    lineage: Mapping[str, str] | None = None,
    statistics: Mapping[str, Any] | None = None,
    licence: str = "Apache-2.0",
    credentialed: bool = False,
) -> Manifest:
    """The manifest of `shards`, its counts taken from what is stored; nothing is written.

    Args:
        store, ref: the version.
        shards: its committed shards.
        fingerprint: of the recipe.
        asked: pairs the recipe asked for.
        models: model cards by stage.
        lineage: what the version was made from, by role.
        statistics: anything measured; JSON values.
        licence: SPDX id for the data.
        credentialed: whether the data may be shared only with credentialed users.
    """
    ordered = sorted(shards, key=lambda shard: shard.shard)
    draft = Manifest(
        dataset=ref.name,
        version=ref.version,
        fingerprint=fingerprint,
        created=datetime.now(UTC).replace(microsecond=0),
        asked=asked,
        accepted=sum(shard.accepted for shard in ordered),
        rejected=sum(shard.rejected for shard in ordered),
        shards=ordered,
        models={stage: dict(card) for stage, card in models.items()},
        rejected_by_gate={},
        entity_counts={},
        lineage=dict(lineage or {}),
        licence=licence,
        credentialed=credentialed,
        statistics=dict(statistics or {}),
        code_version=_code_version(),
    )
    gates = Counter(row.gate for row in reject_rows(store, ref, draft))
    entities = Counter(entity for row in pair_rows(store, ref, draft) for entity in row.entities)
    return draft.model_copy(
        update={"rejected_by_gate": dict(sorted(gates.items())), "entity_counts": dict(sorted(entities.items()))}
    )


def publish_manifest(store: ObjectStore, ref: DatasetRef, shards: Sequence[ShardEntry], **details: Any) -> Manifest:
    """Close the version: `make_manifest` (which explains `details`), then write it, once.

    Raises:
        ManifestConflict: the version is closed with other shards.
    """
    return find_manifest_of(store, ref, shards) or write_manifest(
        store, ref, make_manifest(store, ref, shards, **details)
    )


def find_manifest_of(store: ObjectStore, ref: DatasetRef, shards: Sequence[ShardEntry]) -> Manifest | None:
    """The stored manifest if it holds exactly `shards`."""
    stored = find_manifest(store, ref)
    wanted = sorted(shards, key=lambda shard: shard.shard)
    return stored if stored is not None and stored.shards == wanted else None


def _code_version() -> str:
    try:
        return importlib.metadata.version("synthcxr")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return ""
