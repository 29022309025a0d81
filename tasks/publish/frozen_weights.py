"""Freeze the hashes of the weights that a version is made with, and see that a resumed run has the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, CorruptShard, ObjectMissing, StoreError
from storage.records import Record
from storage.versions import VersionPlace

Hashes = Mapping[str, Mapping[str, str]]
_SHOWN = 5


class FrozenWeights(Record):
    """``weights.json``: SHA-256 of every weight file, by the option that names its folder; written create-only."""

    format: int = 1
    weights: dict[str, dict[str, str]]


class WeightsChanged(StoreError):
    """The version was begun with other weights; the message names the files."""


def freeze_weights(place: VersionPlace, weights: Hashes) -> None:
    """Keep the hashes of a version's weights, or see that those kept are the same.

    What was not there when the version was begun, such as a model that was downloaded later, is not compared.

    Raises:
        WeightsChanged: a file has other contents, is missing or is new.
    """
    document = FrozenWeights(weights={where: dict(files) for where, files in weights.items()})
    try:
        data = canonical_json(document.model_dump(mode="json")).encode()
        place.store.put(place.ref.weights, data, content_type="application/json")
    except AlreadyExists:
        changes = weight_changes(place, weights)
        if changes:
            more = f" (and {len(changes) - _SHOWN} more)" if len(changes) > _SHOWN else ""
            shown = f"{'; '.join(changes[:_SHOWN])}{more}"
            raise WeightsChanged(
                f"{place} in {place.store.root} was begun with other weights: {shown}; put the files back, or "
                "choose another name for the version (version=...)"
            ) from None


def weight_changes(place: VersionPlace, weights: Hashes) -> list[str]:
    """What differs between a version's frozen weights and these, a file a line; empty where none are frozen.

    Raises:
        CorruptShard: ``weights.json`` cannot be read.
    """
    where = place.store.uri(place.ref.weights)
    try:
        frozen = FrozenWeights.model_validate(parse_json(read_bounded(place.store, place.ref.weights)))
    except ObjectMissing:
        return []
    except BadDocument as error:
        raise CorruptShard(f"{where}: {error}; restore it") from error
    except ValidationError as error:
        raise CorruptShard(f"{where}: {first_problem(error)}; restore it") from error
    return list(_changes(frozen.weights, weights))


def _changes(before: Hashes, now: Hashes) -> Iterator[str]:
    for option in sorted(before.keys() & now.keys()):
        old, new = before[option], now[option]
        for name in sorted(old.keys() | new.keys()):
            if old.get(name) != new.get(name):
                what = "is missing" if name not in new else "is new" if name not in old else "has other contents"
                yield f"{option}: {name} {what}"
