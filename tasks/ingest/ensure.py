"""From a source as a recipe names it to the dataset version that holds its films, published where it is not yet."""

from __future__ import annotations

from dataclasses import dataclass

from models.contracts import ProgressCallback
from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.tags import resolve
from storage.versions import Version, open_dataset
from tasks.corpora.source import PhantomSource, VersionSource
from tasks.curate.keep import read_selection
from tasks.ingest.ingest import archive_version, ingest
from tasks.ingest.phantom import PhantomSample, ensure_phantom
from tasks.recipe.errors import RecipeError
from tasks.recipe.schema import Recipe
from tasks.recipe.sources import SourceSection


def need_source(recipe: Recipe, name: str) -> SourceSection:
    """The source that a recipe calls `name`.

    Raises:
        RecipeError: it has none of that name.
    """
    section = recipe.sources.named().get(name)
    if section is None:
        known = ", ".join(recipe.sources.named()) or "none"
        raise RecipeError(
            f"profile {recipe.profile!r}",
            [f"sources.{name} is empty and is needed here: name a source, such as phantom:a (there are: {known})"],
        )
    return section


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """A published dataset version, and of it the pairs that a selection keeps, or all."""

    ref: DatasetRef
    selection: str | None = None

    def __str__(self) -> str:
        return f"{self.ref.name}@{self.ref.version}" + (f"/{self.selection}" if self.selection else "")


def ensure_source(
    store: ObjectStore, section: SourceSection, on_progress: ProgressCallback = lambda *_: None
) -> SourceVersion:
    """The version that a source is: a phantom hospital or an archive is published once and then found.

    Args:
        store: where versions are.
        section: the source; a tag in its spelling is followed.
        on_progress: called with what is done, how much, and of how much.

    Raises:
        DatasetMissing: no such version, or it is not published.
        ObjectMissing: the version has no such selection.
        RecipeChanged: a phantom's version was begun with other films.
        ArchiveError: an archive cannot be read, or none of its films is taken.
    """
    source = section.parsed
    if isinstance(source, PhantomSource):
        return SourceVersion(ensure_phantom(store, _sample(source, section), on_progress))
    if isinstance(source, VersionSource):
        return _published(store, source)
    return SourceVersion(ingest(store, section, on_progress).ref)


def find_source(store: ObjectStore, section: SourceSection) -> SourceVersion:
    """The version that a source is, as far as it is published; nothing is published for it.

    Raises:
        DatasetMissing: it is not published, or there is no such version.
        ObjectMissing: the version has no such selection.
        ArchiveError: an archive cannot be read, or none of its films is taken.
    """
    source = section.parsed
    if isinstance(source, VersionSource):
        return _published(store, source)
    ref = _sample(source, section).ref if isinstance(source, PhantomSource) else archive_version(section)
    open_dataset(store, ref)
    return SourceVersion(ref)


def _sample(source: PhantomSource, section: SourceSection) -> PhantomSample:
    return PhantomSample(source.hospital, section.count, section.pixels, section.draw)


def _published(store: ObjectStore, source: VersionSource) -> SourceVersion:
    ref = resolve(store, f"{source.name}@{source.version}")
    version = Version.open(store, ref)
    if source.selection is not None:
        read_selection(version, source.selection)
    return SourceVersion(ref, source.selection)
