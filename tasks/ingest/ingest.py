"""Publish an archive of real films as a dataset version, shard by shard, exactly once.

The tables are read twice: first to the end, for the fingerprint that names the version and to find what is wrong
before any film is opened, then film by film. In memory are one shard and what the layout keeps of its tables.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import yaml

from models.contracts import ProgressCallback
from storage.canonical import canonical_json
from storage.layout import DatasetRef
from storage.ledger import ShardContents, commit_shard, committed_shards
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.records import Manifest, RejectRow, ShardEntry
from storage.shards import Sample
from storage.tags import advance_latest
from storage.versions import Version, VersionPlace
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.official import ListFile
from tasks.corpora.archives.registry import Archive, open_archive
from tasks.corpora.source import ArchiveSource
from tasks.ingest.choice import FilmChoice, Listing, choice_of, chosen, list_films
from tasks.ingest.film_row import FilmRows
from tasks.ingest.label_words import LabelWords
from tasks.ingest.report_text import RULES, RULES_TEXT
from tasks.ingest.use_terms import UseTerms, terms_of
from tasks.publish.archive_card import write_archive_card
from tasks.publish.dataset import ManifestFacts, NothingAccepted, find_version, make_manifest, open_version
from tasks.recipe.paths import published
from tasks.recipe.sources import SourceSection

FORMAT = 1
"""Raise it when the same archive would give other films or rows: their size, their text, what is read of a file."""
LARGEST_SHARD, _SHARD_PIXELS = 256, 256 * 512 * 512
"""Films in a shard at most, and pixels in it: larger films, smaller shards, so that memory does not grow with them."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of an archive.

    Args:
        ref: the version.
        manifest: its manifest.
        listing: which films were taken, and why others were not.
        notes: what was odd about the archive's tables, with how often.
        new: whether this call published it.
    """

    ref: DatasetRef
    manifest: Manifest
    listing: Listing
    notes: Mapping[str, int] = field(default_factory=dict)
    new: bool = True


@dataclass(frozen=True, slots=True)
class _Plan:
    """An archive that was listed, and how it becomes a version."""

    section: SourceSection
    archive: Archive
    choice: FilmChoice
    listing: Listing
    notes: Counter[str]

    @property
    def shard_size(self) -> int:
        return max(1, min(LARGEST_SHARD, _SHARD_PIXELS // self.section.pixels**2))

    @property
    def terms(self) -> UseTerms:
        terms = terms_of(self.archive.layout)
        return replace(terms, licence=self.section.licence) if self.section.licence else terms

    def recipe(self) -> dict[str, Any]:
        """What decides the version, frozen beside it; of the folder the last part, which is not in the fingerprint."""
        choice = self.section.model_dump(mode="json", include={"split", "where", "part", "text"})
        words = LabelWords(self.terms.label_set)
        keep = sorted(self.choice.kept) if self.choice.kept is not None else None
        return {
            "format": FORMAT,
            "archive": published(f"{self.archive.layout}:{self.archive.root.resolve()}"),
            "films": self.listing.taken,
            "tables": self.listing.sha256,
            "size": self.section.pixels,
            "shard_size": self.shard_size,
            **choice,
            "keep": keep and hashlib.sha256(canonical_json(keep).encode()).hexdigest(),
            **({"label_rules": RULES, "label_words": words.sha256} if self.section.text == "labels" else {}),
        }

    def fingerprint(self) -> str:
        content = {key: value for key, value in self.recipe().items() if key != "archive"}
        return hashlib.sha256(canonical_json({**content, "layout": self.archive.layout}).encode()).hexdigest()

    def ref(self) -> DatasetRef:
        return DatasetRef(dataset_name(self.section), f"v-{self.fingerprint()[:10]}")


def ingest(
    store: ObjectStore, section: SourceSection, on_progress: ProgressCallback = lambda *_: None, *, workers: int = 2
) -> Ingested:
    """Publish the films of an archive that `section` selects, unless they are; resume where a run was broken off.

    Films become squares of one size with the whole film in them, boxes and masks with them. A film that cannot be
    read goes to the shard's rejects with the reason. The version is named after the archive's tables, the sizes of its
    files and what was asked for: the same again is found, and anything else is another version. ``latest`` follows.

    Args:
        store: where to.
        section: a source that is an archive, with its name as a dataset.
        on_progress: called with the stage, and how many of how many films are done.
        workers: threads that decode.

    Raises:
        ArchiveError: no archive, a missing table or column, no film is taken, or none of them can be read.
        RecipeChanged: a version of that name was begun with other films.
    """
    plan = _listed(section, on_progress)
    fingerprint, ref = plan.fingerprint(), plan.ref()
    text = yaml.safe_dump(plan.recipe(), sort_keys=True)
    place = VersionPlace(store, ref)
    open_version(place, text, fingerprint)
    manifest, lists = find_version(place, text, fingerprint), plan.archive.lists()
    new = manifest is None
    if manifest is None:
        entries = list(_shards(place, plan, on_progress, workers))
        manifest = _publish(place, plan, lists, entries, fingerprint)
    advance_latest(store, ref)
    return Ingested(ref, manifest, plan.listing, {**dict(+plan.notes), **_other_lists(lists)}, new)


def _note_reports(archive: Archive, listing: Listing) -> None:
    """Note the reports that no film's text is taken from, as they are in another language."""
    if archive.other_language is not None:
        archive.notes[f"reports that are not taken ({archive.other_language})"] += listing.reports


def archive_version(section: SourceSection) -> DatasetRef:
    """The version that an archive becomes, from its tables; nothing is published, and no film is opened.

    Raises:
        ArchiveError: no archive, a missing table or column, or no film is taken.
    """
    return _listed(section, lambda *_: None).ref()


def dataset_name(section: SourceSection) -> str:
    """The name of the dataset that an archive becomes: its own, or one made of layout and folder."""
    source = _archive_of(section)
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in source.path.resolve().name.lower())
    return section.name or f"{source.layout}-{plain.strip('-') or 'films'}"[:63]


def _archive_of(section: SourceSection) -> ArchiveSource:
    source = section.parsed
    if not isinstance(source, ArchiveSource):
        raise ArchiveError(
            f"{source} is no archive: write LAYOUT:PATH, such as nih:/data/nih, or the path of a folder"
        )
    return source


def _listed(section: SourceSection, on_progress: ProgressCallback) -> _Plan:
    source = _archive_of(section)
    choice = choice_of(section)
    archive = open_archive(source.path, source.layout)
    listing = Listing()
    for listing in list_films(archive, choice):
        on_progress("listed", listing.taken, listing.taken + (not listing.sha256))
    _note_reports(archive, listing)
    return _Plan(section, open_archive(source.path, archive.layout), choice, listing, archive.notes)


def _shards(place: VersionPlace, plan: _Plan, on_progress: ProgressCallback, workers: int) -> Iterator[ShardEntry]:
    """Commit the shards that are missing, and give all of them, in order."""
    done = committed_shards(place.store, place.ref)
    rows = FilmRows(place.ref, plan.archive, plan.section, plan.choice)
    films, total = chosen(plan.archive, plan.choice), plan.listing.taken
    with ThreadPoolExecutor(workers) as pool:
        for shard, start in enumerate(range(0, total, plan.shard_size)):
            group = list(islice(films, min(plan.shard_size, total - start)))
            if len(group) < min(plan.shard_size, total - start):
                raise ArchiveError(f"{plan.archive.root} changed while it was read: run the same command again")
            if shard in done:
                yield done[shard]
                on_progress("films", start + len(group), total)
                continue
            made: list[Sample | RejectRow] = []
            for one in pool.map(rows.make, range(start, start + len(group)), group):
                made.append(one)
                on_progress("films", start + len(made), total)
            yield _commit(place, shard, made)


def _commit(place: VersionPlace, shard: int, made: Sequence[Sample | RejectRow]) -> ShardEntry:
    pairs = [one for one in made if isinstance(one, Sample)]
    rejects = [one for one in made if isinstance(one, RejectRow)]
    contents = ShardContents(pairs, rejects=rejects, counts={"films": len(made)})
    return commit_shard(place.store, place.ref, shard, contents)


def _other_lists(lists: Sequence[ListFile]) -> dict[str, int]:
    """A note for each list that is not the one that was published."""
    return {f"{each.file} is not as published ({each.differs}; {each.published})": 1 for each in lists if each.differs}


def _publish(
    place: VersionPlace, plan: _Plan, lists: Sequence[ListFile], entries: Sequence[ShardEntry], fingerprint: str
) -> Manifest:
    terms, layout = plan.terms, plan.archive.layout
    name = plan.recipe()["archive"]
    card = {"kind": layout, "name": name, "licence": terms.licence, "credentialed": terms.credentialed}
    try:
        manifest = make_manifest(
            place,
            entries,
            ManifestFacts(
                fingerprint=fingerprint,
                asked=plan.listing.taken,
                models={"archive": card},
                statistics=_statistics(plan, lists, name),
                licence=terms.licence,
                credentialed=terms.credentialed,
                label_set=terms.label_set,
                agreement=terms.agreement,
            ),
        )
    except NothingAccepted as error:
        raise ArchiveError(f"{plan.archive.root}: {error}") from error
    manifest = write_archive_card(Version(place.store, place.ref, manifest), RULES_TEXT, plan.section.pixels)
    return write_manifest(place.store, place.ref, manifest)


def _statistics(plan: _Plan, lists: Sequence[ListFile], name: str) -> dict[str, Any]:
    terms = plan.terms
    return {
        "sources": [{"role": "archive", "name": name, "licence": terms.licence, "credentialed": terms.credentialed}],
        "left_out": dict(sorted(plan.listing.left_out.items())),
        "lists": [each.model_dump() for each in lists],
    }
