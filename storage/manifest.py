"""The manifest: written once, last; what downstream flows read to know a dataset version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, ManifestConflict, ObjectMissing
from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.plain import is_dict
from storage.records import FORMAT_VERSION, Manifest, ObjectEntry, ShardEntry

_REMEDY = "restore it, or make the version anew under another name"


def find_manifest(store: ObjectStore, ref: DatasetRef) -> Manifest | None:
    """The manifest of `ref`, or None while the version is not published.

    Raises:
        ManifestConflict: what is stored is no manifest of `ref`, of a newer format, without its seal, edited after it
            was written, or names objects that are not of `ref`.
    """
    where = store.uri(ref.manifest)
    try:
        data = read_bounded(store, ref.manifest)
        manifest = Manifest.model_validate(_of_known_format(where, parse_json(data)))
    except ObjectMissing:
        return None
    except BadDocument as error:
        raise ManifestConflict(f"{where} is not a manifest: {error}; {_REMEDY}") from error
    except ValidationError as error:
        raise ManifestConflict(f"{where} is not a manifest: {first_problem(error)}; {_REMEDY}") from error
    if not manifest.seal or _seal(data.replace(manifest.seal.encode(), b"", 1)) != manifest.seal:
        edited = "was edited after it was written" if manifest.seal else "has no seal, so an edit of it would not show"
        raise ManifestConflict(f"{where} {edited}; {_REMEDY}")
    wrong = next(_misplaced(ref, manifest), None)
    if wrong is not None:
        raise ManifestConflict(f"{where} {wrong}; {_REMEDY}")
    return manifest


def write_manifest(store: ObjectStore, ref: DatasetRef, manifest: Manifest) -> Manifest:
    """Publish the version; when it is published already with the same shards, return what is stored.

    Raises:
        ManifestConflict: it is published with other shards or another fingerprint, or `manifest` is wrong in itself.
    """
    _check_sums(ref, manifest)
    manifest = _sealed(manifest)
    try:
        store.put(ref.manifest, _bytes(manifest), content_type="application/json")
        return manifest
    except AlreadyExists:
        stored = find_manifest(store, ref)
    if stored is None or not _same(stored, manifest):
        raise ManifestConflict(
            f"{store.uri(ref.manifest)} is published with other contents: choose another dataset or version"
        )
    return stored


def objects(manifest: Manifest) -> list[ObjectEntry]:
    """Every object the manifest names, shard by shard."""
    return [entry for shard in manifest.shards for entry in _objects(shard)]


def _objects(shard: ShardEntry) -> list[ObjectEntry]:
    return [entry for entry in (shard.reports, shard.rejects, shard.pairs, shard.index) if entry is not None]


def reached(ref: DatasetRef, manifest: Manifest) -> set[str]:
    """Keys of recipe, weights, model cards, manifest and all that the manifest names; the card's files come on top."""
    entries = {ref.report_entry(shard.shard) for shard in manifest.shards if shard.reports is not None}
    cards = {ref.model_card(stage) for stage in manifest.models}
    return {ref.recipe, ref.weights, ref.manifest, *entries, *cards, *(ref.key(e.key) for e in objects(manifest))}


def _of_known_format(where: str, document: object) -> object:
    """`document`, unless it says that a later program wrote it."""
    said = document.get("format", 0) if is_dict(document) else 0
    if isinstance(said, int) and said > FORMAT_VERSION:
        raise ManifestConflict(
            f"{where} has format {said}, this program reads up to {FORMAT_VERSION}: upgrade synthcxr"
        )
    return document


def _misplaced(ref: DatasetRef, manifest: Manifest) -> Iterator[str]:
    """What of a manifest points elsewhere than to the version's own objects."""
    if (manifest.dataset, manifest.version) != (ref.name, ref.version):
        yield f"is the manifest of {manifest.dataset}/{manifest.version}, not of {ref}"
    for entry in manifest.shards:
        number = entry.shard
        keys = {"pairs": ref.pairs(number), "index": ref.index(number), "rejects": ref.rejects(number)}
        for part, key in {**keys, "reports": ref.reports(number)}.items():
            held: ObjectEntry | None = getattr(entry, part)
            if held is not None and (held.key != ref.relative(key) or number < 0):
                yield f"names {held.key!r} as the {part} of shard {number}, where only {ref.relative(key)!r} can be"
            if held is not None and (held.size < 0 or held.rows < 0):
                yield f"gives {held.key!r} a negative size or number of rows"


def _sealed(manifest: Manifest) -> Manifest:
    return manifest.model_copy(update={"seal": _seal(_bytes(manifest.model_copy(update={"seal": ""})))})


def _bytes(manifest: Manifest) -> bytes:
    return canonical_json(manifest.model_dump(mode="json")).encode()


def _seal(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _same(one: Manifest, other: Manifest) -> bool:
    return one.fingerprint == other.fingerprint and objects(one) == objects(other)


def _check_sums(ref: DatasetRef, manifest: Manifest) -> None:
    accepted = sum(shard.accepted for shard in manifest.shards)
    rejected = sum(shard.rejected for shard in manifest.shards)
    numbers = [shard.shard for shard in manifest.shards]
    wrong = next(_misplaced(ref, manifest), None)
    if wrong is not None:
        raise ManifestConflict(f"a manifest cannot be published as {ref}: it {wrong}")
    if (accepted, rejected) != (manifest.accepted, manifest.rejected) or len(set(numbers)) != len(numbers):
        raise ManifestConflict(
            f"manifest of {ref}: {manifest.accepted} accepted and {manifest.rejected} rejected, but its shards "
            f"{numbers} hold {accepted} and {rejected}"
        )
