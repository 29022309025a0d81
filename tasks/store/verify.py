"""Verify a published version: its objects, its recipe, and everything that refers to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from storage.errors import CorruptShard, ManifestConflict, ObjectMissing
from storage.layout import (
    CHECKPOINTS,
    DATASETS,
    MEASURES,
    RUNS,
    TAGS,
    DatasetRef,
    foreign,
    plain_name,
    printable,
    split_version,
)
from storage.manifest import reached
from storage.objects import ObjectStore
from storage.verify import Problem, VersionCheck, verify_version
from storage.versions import Version
from tasks.curate.keep import read_selection
from tasks.publish.dataset import RecipeChanged, frozen_recipe
from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import fingerprint, leaves
from tasks.recipe.paths import hides_places
from tasks.recipe.profile import parse_recipe
from tasks.recipe.weights import names_absent
from tasks.store.references import PARENT, References, references

_NAMED = 20


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, what is wrong, and what is odd without being wrong."""

    ref: DatasetRef
    objects: int
    samples: int
    size: int
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def verify_dataset(
    store: ObjectStore, ref: DatasetRef, on_shard: Callable[[int, int], None] | None = None
) -> Verification:
    """Read a whole version once and compare everything with everything.

    Args:
        store, ref: the version.
        on_shard: called with shards checked and shards in all.

    Raises:
        DatasetMissing: it is not published.
    """
    try:
        version = Version.open(store, ref)
    except ManifestConflict as error:
        problem = Problem(object="manifest.json", what=str(error))
        return Verification(ref, objects=1, samples=0, size=0, problems=(problem,), notes=())
    found = verify_version(version, on_shard)
    known = references(store)
    problems = [*found.problems, *_recipe(version), *_dangling(version, found, known)]
    return Verification(
        ref=ref,
        objects=found.objects + 1 + ("recipe.yaml" not in version.manifest.documents),
        samples=len(found.samples),
        size=found.size,
        problems=tuple(problems),
        notes=(*_notes(version, found), *_foreign(store, known)),
    )


def _recipe(version: Version) -> Iterator[Problem]:
    manifest = version.manifest
    try:
        mark, _ = frozen_recipe(version)
    except (ObjectMissing, RecipeChanged) as error:
        if isinstance(error, RecipeChanged) or "recipe.yaml" not in manifest.documents:  # else found missing already
            yield Problem(object="recipe.yaml", what=str(error))
        return
    if mark != manifest.fingerprint:
        yield Problem(
            object="recipe.yaml", what=f"has fingerprint {mark[:12]}…, the manifest {manifest.fingerprint[:12]}…"
        )


def _dangling(version: Version, found: VersionCheck, known: References) -> Iterator[Problem]:
    store, ref, manifest = version.store, version.ref, version.manifest
    for key, why in known.damaged.items():
        if _names(key, ref):
            yield Problem(object=key, what=f"cannot be read: {why}")
    yield from _selections(version, known, found)
    for training in known.trainings:
        for draw in training.of(ref):
            if draw.fingerprint != manifest.fingerprint:
                yield Problem(object=training.key, what=f"was trained on {ref} with another fingerprint")
            if draw.selection is not None and draw.selection not in known.selections.get(str(ref), []):
                yield Problem(
                    object=training.key, what=f"was trained on selection {draw.selection!r}, which is missing"
                )
    for tag in known.tags:
        if tag.dataset == ref.name and store.head(tag.ref.manifest) is None:
            yield Problem(object=f"tags/{ref.name}/{tag.tag}", what=f"points to {tag.ref}, which is not published")
    parent = manifest.lineage.get(PARENT)
    if parent is not None and not _published(store, parent):
        yield Problem(object="manifest.json", what=f"names {parent} as its parent, which is not published")


def _published(store: ObjectStore, text: str) -> bool:
    name, _, version = text.partition("/")
    named = plain_name(name) and plain_name(version)
    return named and store.head(DatasetRef(name, version).manifest) is not None


def _selections(version: Version, known: References, found: VersionCheck) -> Iterator[Problem]:
    for name in known.selections.get(str(version), []):
        where = f"selections/{version}/{name}"
        try:
            chosen = {choice.sample_id for choice in read_selection(version, name).choices}
        except (CorruptShard, ObjectMissing, ValueError) as error:
            yield Problem(object=where, what=str(error))
            continue
        for sample in sorted(chosen - found.samples.keys()):
            yield Problem(object=where, what=f"decides about sample {sample}, which the version does not hold")
        for sample in sorted(found.samples.keys() - chosen):
            yield Problem(object=where, what=f"does not decide about sample {sample}")


def _names(key: str, ref: DatasetRef) -> bool:
    """Whether an unreadable object may be about `ref`: a tag of its dataset, a run named after it, any checkpoint."""
    return key.startswith((f"{TAGS}{ref.name}/", f"{RUNS}{ref.name}-{ref.version}-", CHECKPOINTS))


def _drifted(version: Version) -> bool:
    """Whether the frozen recipe, read by this program, comes to another fingerprint; an archive has one of its own."""
    try:
        _, document = frozen_recipe(version)
        if "archive" in document or hides_places(document) or names_absent(leaves(document)):
            return False
        return fingerprint(parse_recipe(document)) != version.manifest.fingerprint
    except (ObjectMissing, RecipeChanged):
        return False  # a problem that is reported as one
    except RecipeError:
        return True


def _notes(version: Version, found: VersionCheck) -> Iterator[str]:
    store, ref = version.store, version.ref
    if found.same_films:
        one, other = found.same_films[0]
        yield f"{len(found.same_films)} films are the same as another's, such as {one} and {other}"
    if _drifted(version):
        yield "recipe.yaml comes to another fingerprint here: it was edited, or another synthcxr wrote it"
    named = reached(ref, version.manifest)
    over = [
        info.key
        for info in store.list(f"{ref.prefix}/")
        if info.key not in named and split_version(info.key) is not None and not info.key.startswith(ref.card(""))
    ]
    if over:
        yield f"{len(over)} objects are named by no manifest, such as {over[0]}: `synth gc` lists them"


def _foreign(store: ObjectStore, known: References) -> Iterator[str]:
    """Objects in the project's folders that are not the project's: they are passed over, and named here."""
    listed = (info.key for folder in (DATASETS, TAGS, MEASURES) for info in store.list(folder))
    names = sorted([*known.foreign, *(key for key in listed if foreign(key))])
    yield from (f"{printable(name)} is foreign and passed over" for name in names[:_NAMED])
    if len(names) > _NAMED:
        yield f"{len(names) - _NAMED} more foreign objects are passed over"
