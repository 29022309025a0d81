"""Keep selections in the store, beside the dataset they belong to."""

from __future__ import annotations

from pydantic import ValidationError

from models.contracts import ProgressCallback
from storage.documents import first_problem
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing
from storage.layout import selection_key
from storage.tables import from_parquet, read_table_object, table_metadata, to_parquet
from storage.versions import Version, VersionPlace
from tasks.curate.measure import ensure_near
from tasks.curate.select import Choice, Selection, curate
from tasks.curate.table import PairTable, read_table
from tasks.recipe.curation import Rules

_FILE = "selection.parquet"
_RULES = "synthcxr.rules"


class SelectionConflict(RuntimeError):
    """The store holds a selection of that name which decided otherwise."""


class RulesDoNotFit(ValueError):
    """A rule names a gate or a finding that no pair of the version has; the message lists what there is."""


def decide(version: Version, rules: Rules, on_progress: ProgressCallback | None = None) -> tuple[PairTable, Selection]:
    """The pairs of a published version and what `rules` make of them; nothing is kept but measurements.

    Raises:
        CorruptShard: its indices are damaged.
        RulesDoNotFit: a rule names a gate or a finding that no pair has.
    """
    try:
        table = read_table(version)
    except ValueError as error:
        raise CorruptShard(f"{version}: {error}; `synth verify` lists what is damaged") from error
    near = ensure_near(version, table, rules, on_progress)
    try:
        return table, curate(table, rules, near)
    except ValueError as error:
        raise RulesDoNotFit(f"the rules do not fit {version}: {error}") from error


def write_selection(place: VersionPlace, name: str, selection: Selection) -> Selection:
    """Publish `selection`, create-only; publishing the same again changes nothing.

    Raises:
        SelectionConflict: `name` is taken by another decision.
    """
    data = to_parquet(selection.choices, {_RULES: selection.rules.model_dump_json()}, kind=Choice)
    store, key = place.store, selection_key(place.ref, name, _FILE)
    try:
        store.put(key, data)
    except AlreadyExists as error:
        held = read_selection(place, name)
        if held != selection:
            raise SelectionConflict(
                f"{store.uri(key)} holds another decision ({len(held.kept)} pairs kept, now {len(selection.kept)}): "
                "take another selection name"
            ) from error
    return selection


def read_selection(place: VersionPlace, name: str) -> Selection:
    """A stored selection.

    Raises:
        ObjectMissing: there is none of that name.
        CorruptShard: the object is not a selection.
    """
    store, key = place.store, selection_key(place.ref, name, _FILE)
    try:
        data = read_table_object(store, key)
    except ObjectMissing as error:
        raise ObjectMissing(
            f"no selection {name!r} of {place}: {store.uri(key)} is missing; curate it first"
        ) from error
    try:
        rules = Rules.model_validate_json(table_metadata(data).get(_RULES, "{}"))
        return Selection(rules=rules, choices=from_parquet(data, Choice))
    except (CorruptShard, ValidationError) as error:
        why = first_problem(error) if isinstance(error, ValidationError) else error
        raise CorruptShard(
            f"{store.uri(key)} is not a selection: {why}; restore it, or remove it and curate"
        ) from error
