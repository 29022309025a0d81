"""What a source of a mix has to offer: the dataset version behind its spelling, and how many pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from storage.errors import DatasetMissing
from storage.layout import DatasetRef
from storage.versions import Version
from tasks.corpora.source import VersionSource
from tasks.curate.keep import read_selection
from tasks.ingest.ensure import SourceVersion
from tasks.pretrain.arms import ArmsDoNotFit, Draw, kept_pairs, mixed_sources, needed_sources
from tasks.pretrain.subset import without_text
from tasks.recipe.sources import SourceSection
from tasks.recipe.training import SYNTHETIC

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from tasks.recipe.schema import Recipe

Find = Callable[[SourceSection], SourceVersion]
"""From a source to its version, which is published first or only looked up."""


def offers(store: ObjectStore, recipe: Recipe, own: DatasetRef, find: Find) -> dict[str, Draw]:
    """What each source offers that counts in planning the chosen arms; see `offer`.

    A source that none of them learns from, and that only decides how many pairs they have, may be missing.
    """
    mixed, found = mixed_sources(recipe.pretrain), dict[str, Draw]()
    for source in needed_sources(recipe.pretrain):
        if source not in mixed and source != SYNTHETIC and source not in recipe.sources.named():
            continue
        try:
            found[source] = offer(store, recipe, own, source, find)
        except DatasetMissing:
            if source in mixed or not _left_as_it_is(recipe, source):
                raise
    return found


def _left_as_it_is(recipe: Recipe, source: str) -> bool:
    """Whether training publishes no version for a source that lacks one."""
    return source == SYNTHETIC or isinstance(recipe.sources.named()[source].parsed, VersionSource)


def offer(store: ObjectStore, recipe: Recipe, own: DatasetRef, source: str, find: Find) -> Draw:
    """All the pairs of a source as a mix spells it; a film without a text is no pair.

    Args:
        store: where versions are.
        recipe: for its sources, and for the rules by which the run's own version was curated.
        own: the run's own version, which ``synthetic`` stands for.
        source: a key of ``sources``, ``synthetic``, or any spelling of a source.
        find: gives the version of any other source.

    Raises:
        DatasetMissing, ObjectMissing: the version or its selection is not there.
        ArmsDoNotFit: the selection keeps nothing, or no film of the version has a text.
    """
    if source == SYNTHETIC:
        return offer_of(store, SourceVersion(own, recipe.curate.name))
    section = recipe.sources.named().get(source) or SourceSection(source=source)
    return offer_of(store, find(section))


def offer_of(store: ObjectStore, version: SourceVersion) -> Draw:
    """All the pairs of a version, or of what a selection keeps of it; see `offer`."""
    opened = Version.open(store, version.ref)
    manifest, blank = opened.manifest, without_text(opened)
    pairs = manifest.accepted - len(blank)
    whole = Draw(
        dataset=opened.ref.name,
        version=opened.ref.version,
        fingerprint=manifest.fingerprint,
        pairs=max(1, pairs),
    )
    if version.selection is not None:
        kept = read_selection(opened, version.selection).kept
        whole = kept_pairs(whole, version.selection, kept)
        pairs = sum(sample not in blank for sample in kept)
    if blank and not pairs:
        labels = manifest.statistics.get("labels")
        remedy = "; ingest it with --text labels, or test on it" if labels else ", nor a label to make one from"
        raise ArmsDoNotFit(f"dataset {version}: none of its films has a text to train on{remedy}")
    return whole.model_copy(update={"pairs": pairs}) if blank else whole
