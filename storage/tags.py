"""Tags: names such as ``latest`` and ``champion`` that move from one published version to another.

Every move is one small create-only object with the next number; the highest number is the tag's value. So two who
move a tag at once cannot overwrite each other, and what a tag said before stays readable.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import ValidationError

from storage.canonical import canonical_json
from storage.documents import BadDocument, first_problem, parse_json, read_bounded
from storage.errors import AlreadyExists, DatasetMissing, StoreError
from storage.layout import TAGS, DatasetRef, plain_name, split_tag, tag_key
from storage.manifest import find_manifest
from storage.objects import ObjectStore
from storage.records import Record
from storage.versions import begun, open_dataset

LATEST = "latest"
_MOST = 64 << 10


class Tag(Record):
    """One move of a tag; `number` counts them from 1."""

    dataset: str
    tag: str
    version: str
    number: int
    created: datetime

    @property
    def ref(self) -> DatasetRef:
        """The version that the tag points to."""
        return DatasetRef(self.dataset, self.version)


class BadTag(StoreError):
    """A tag cannot be named or moved like that."""


def tags(store: ObjectStore, dataset: str = "") -> list[Tag]:
    """The current value of every tag of one dataset, or of all.

    Raises:
        BadTag: one of them cannot be read.
    """
    return [read_tag(store, key) for key in newest_tags(store, dataset)]


def newest_tags(store: ObjectStore, dataset: str = "") -> list[str]:
    """Keys of the current move of every tag, sorted by dataset and tag; of one dataset, or of all."""
    newest: dict[tuple[str, str], int] = {}
    for info in store.list(f"{TAGS}{dataset}/" if dataset else TAGS):
        found = split_tag(info.key)
        if found is not None:
            newest[found[:2]] = max(found[2], newest.get(found[:2], 0))
    return [tag_key(name, tag, number) for (name, tag), number in sorted(newest.items())]


def find_tag(store: ObjectStore, dataset: str, tag: str) -> Tag | None:
    """The current value of `tag`, or None.

    Raises:
        BadTag: it cannot be read.
    """
    found = [part for info in store.list(f"{TAGS}{dataset}/{tag}/") if (part := split_tag(info.key)) is not None]
    return read_tag(store, tag_key(dataset, tag, max(part[2] for part in found))) if found else None


def read_tag(store: ObjectStore, key: str) -> Tag:
    """One move of a tag.

    Raises:
        BadTag: the object is no tag, or one of another place.
    """
    where, remedy = store.uri(key), "restore it, or remove it and set the tag again"
    try:
        tag = Tag.model_validate(parse_json(read_bounded(store, key, _MOST)))
    except ValidationError as error:
        raise BadTag(f"{where} is not a tag: {first_problem(error)}; {remedy}") from error
    except BadDocument as error:
        raise BadTag(f"{where} is not a tag: {error}; {remedy}") from error
    if split_tag(key) != (tag.dataset, tag.tag, tag.number) or not plain_name(tag.version):
        said = f"{tag.dataset}@{tag.tag}, number {tag.number}, version {tag.version!r}"
        raise BadTag(f"{where} is not the tag of its place: it says {said}; {remedy}")
    return tag


def set_tag(store: ObjectStore, ref: DatasetRef, tag: str) -> Tag:
    """Point `tag` at a published version; of two who do so at once, the later one stands.

    Raises:
        DatasetMissing: `ref` is not published.
        BadTag: `tag` is no name, or the name of a version.
    """
    open_dataset(store, ref)
    if not plain_name(tag) or store.head(DatasetRef(ref.name, tag).recipe) is not None:
        raise BadTag(f"{tag!r} cannot be a tag: use letters, digits, '.', '_' and '-', and no name of a version")
    while True:
        held = find_tag(store, ref.name, tag)
        if held is not None and held.version == ref.version:
            return held
        made = _next(store, ref, tag, held)
        if made is not None:
            return made


def advance_latest(store: ObjectStore, ref: DatasetRef) -> Tag:
    """Point ``latest`` at `ref` unless it points to a version that was published later."""
    created = open_dataset(store, ref).created
    while True:
        held = find_tag(store, ref.name, LATEST)
        other = find_manifest(store, held.ref) if held is not None else None
        if held is not None and (held.version == ref.version or (other is not None and other.created > created)):
            return held
        made = _next(store, ref, LATEST, held)
        if made is not None:
            return made


def resolve(store: ObjectStore, text: str) -> DatasetRef:
    """The version that a person means by ``NAME@VERSION``, ``NAME@TAG``, ``NAME`` (its latest) or ``VERSION``.

    Raises:
        DatasetMissing: nothing, or more than one version, is meant; the message lists what there is.
    """
    name, _, version = text.replace("/", "@").partition("@")
    if not plain_name(name) or (version and not plain_name(version)):
        raise DatasetMissing(f"{text!r} is no NAME@VERSION, NAME@TAG, NAME or VERSION")
    if version:
        ref = DatasetRef(name, version)
        if any(store.head(key) is not None for key in (ref.manifest, ref.recipe)):
            return ref
    tag = find_tag(store, name, version or LATEST)
    if tag is not None:
        return tag.ref
    there = begun(store)
    fitting = [ref for ref in there if not version and name in (ref.name, ref.version)]
    if len(fitting) == 1:
        return fitting[0]
    many = "more than one version is meant by" if fitting else "no version is meant by"
    known = ", ".join(f"{ref.name}@{ref.version}" for ref in fitting or there) or "none"
    raise DatasetMissing(f"{many} {text!r} in {store.root}; there are: {known}")


def _next(store: ObjectStore, ref: DatasetRef, tag: str, held: Tag | None) -> Tag | None:
    """Make the next move of a tag; None when another process was faster."""
    number = held.number + 1 if held else 1
    made = Tag(dataset=ref.name, tag=tag, version=ref.version, number=number, created=datetime.now(UTC))
    try:
        store.put(tag_key(ref.name, tag, number), canonical_json(made.model_dump(mode="json")).encode())
    except AlreadyExists:
        return None
    return made
