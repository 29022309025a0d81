"""The manifest of a dataset version: written once, last; downstream flows read it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, ManifestConflict, ObjectMissing
from storage.layout import DatasetRef, split_version
from storage.objects import ObjectStore
from storage.plain import is_dict
from storage.records import FORMAT_VERSION, Manifest, ObjectEntry, ShardEntry

_READERS = 8
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
    """Keys of the manifest, the documents beside the shards and all that the manifest names, without the card's."""
    return {ref.manifest, *documents(ref, manifest), *(ref.key(entry.key) for entry in objects(manifest))}


def documents(ref: DatasetRef, manifest: Manifest) -> set[str]:
    """Keys of a version's recipe, weights, model cards and report entries, of which some may not be there."""
    entries = {ref.report_entry(shard.shard) for shard in manifest.shards if shard.reports is not None}
    return {ref.recipe, ref.weights, *entries, *(ref.model_card(stage) for stage in manifest.models)}


def hash_documents(store: ObjectStore, ref: DatasetRef, manifest: Manifest) -> dict[str, str]:
    """SHA-256 of the documents that are there, by their key in the version: what `Manifest.documents` keeps.

    Raises:
        BadDocument: one is larger than any document.
    """

    def digest(key: str) -> tuple[str, str] | None:
        try:
            return ref.relative(key), hashlib.sha256(read_bounded(store, key)).hexdigest()
        except ObjectMissing:
            return None
        except BadDocument as error:
            raise BadDocument(f"{store.uri(key)}: {error}; {_REMEDY}") from error

    with ThreadPoolExecutor(_READERS) as pool:
        return dict(found for found in pool.map(digest, sorted(documents(ref, manifest))) if found is not None)


def _of_known_format(where: str, document: object) -> object:
    """`document`, unless its format is that of a later program."""
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
    allowed = {ref.relative(key) for key in documents(ref, manifest) if split_version(key) is not None}
    strange = sorted(manifest.documents.keys() - allowed)
    if strange:
        yield f"names {strange[0]!r} as a document, where no document of its own can be"
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
