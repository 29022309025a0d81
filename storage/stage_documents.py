"""What the stages of a version leave beside its shards: entries of finished reports, and cards of the models.

Both are small JSON documents, written create-only: whoever was first is right.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing
from storage.layout import DatasetRef, shard_of_index, shard_of_report_entry, stage_of_card
from storage.objects import ObjectStore
from storage.plain import is_dict
from storage.records import ReportEntry

_REMEDY = "remove it and run again, or restore it"


def numbers_committed(store: ObjectStore, ref: DatasetRef) -> set[int]:
    """Numbers of the committed shards, from one listing."""
    return _numbers(store, ref.key("pairs/"), shard_of_index)


def numbers_reported(store: ObjectStore, ref: DatasetRef) -> set[int]:
    """Numbers of the shards whose reports are done, from one listing."""
    return _numbers(store, ref.key("reports/"), shard_of_report_entry)


def put_report_entry(store: ObjectStore, ref: DatasetRef, entry: ReportEntry) -> None:
    """Say that a shard's reports are done; one that is there already stays."""
    _put_new(store, ref.report_entry(entry.shard), entry.model_dump(mode="json"))


def find_report_entry(store: ObjectStore, ref: DatasetRef, shard: int) -> ReportEntry | None:
    """The entry of a shard's reports, or None.

    Raises:
        CorruptShard: what is stored is no such entry.
    """
    key = ref.report_entry(shard)
    try:
        entry = ReportEntry.model_validate(parse_json(read_bounded(store, key)))
    except ObjectMissing:
        return None
    except BadDocument as error:
        raise CorruptShard(f"{store.uri(key)}: {error}; {_REMEDY}") from error
    except ValidationError as error:
        raise CorruptShard(f"{store.uri(key)}: {first_problem(error)}; {_REMEDY}") from error
    if entry.shard != shard:
        raise CorruptShard(f"{store.uri(key)} is the entry of shard {entry.shard}; {_REMEDY}")
    return entry


def put_model_card(store: ObjectStore, ref: DatasetRef, stage: str, card: dict[str, Any]) -> None:
    """Keep the card of the model that a stage runs; one that is there already stays."""
    _put_new(store, ref.model_card(stage), card)


def model_cards(store: ObjectStore, ref: DatasetRef) -> dict[str, dict[str, Any]]:
    """The cards of the models that made a version, by stage.

    Raises:
        CorruptShard: a card is no JSON object.
    """
    keys = [info.key for info in store.list(ref.key("models/"))]
    stages = {stage: key for key in keys if (stage := stage_of_card(key)) is not None}
    return {stage: _card(store, key) for stage, key in sorted(stages.items())}


def _card(store: ObjectStore, key: str) -> dict[str, Any]:
    try:
        card = parse_json(read_bounded(store, key))
    except BadDocument as error:
        raise CorruptShard(f"{store.uri(key)}: {error}; {_REMEDY}") from error
    if not is_dict(card):
        raise CorruptShard(f"{store.uri(key)} is no model card; {_REMEDY}")
    return card


def _numbers(store: ObjectStore, prefix: str, number_of: Callable[[str], int | None]) -> set[int]:
    found = (number_of(info.key) for info in store.list(prefix))
    return {number for number in found if number is not None}


def _put_new(store: ObjectStore, key: str, document: dict[str, Any]) -> None:
    with suppress(AlreadyExists):  # whoever was first did the same work
        store.put(key, canonical_json(document).encode(), content_type="application/json")
