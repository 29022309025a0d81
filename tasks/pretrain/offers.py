"""What a source of a mix has to offer: the dataset version behind its spelling, and how many pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.layout import DatasetRef
from storage.versions import open_dataset
from tasks.curate.keep import read_selection
from tasks.ingest.ensure import SourceVersion, ensure_source
from tasks.pretrain.arms import Draw, kept_pairs
from tasks.recipe.sources import SourceSection
from tasks.recipe.training import SYNTHETIC

if TYPE_CHECKING:
    from models.contracts import ProgressCallback
    from storage.objects import ObjectStore
    from tasks.recipe.schema import Recipe


def offer(store: ObjectStore, recipe: Recipe, own: DatasetRef, source: str, on_progress: ProgressCallback) -> Draw:
    """All the pairs of a source as a mix spells it.

    Args:
        store: where versions are.
        recipe: says what ``real`` and its like are, and how the run's own version was curated.
        own: the run's own version, which ``synthetic`` stands for.
        source: a key of ``sources``, ``synthetic``, or any spelling of a source.
        on_progress: told how far a phantom's version is that has to be published first.

    Raises:
        DatasetMissing, ObjectMissing: the version or its selection is not there.
        ArmsDoNotFit: the selection keeps nothing.
    """
    if source == SYNTHETIC:
        return _draw(store, SourceVersion(own, recipe.curate.name))
    section = recipe.sources.named().get(source) or SourceSection(source=source)
    return _draw(store, ensure_source(store, section, on_progress))


def _draw(store: ObjectStore, version: SourceVersion) -> Draw:
    ref = version.ref
    manifest = open_dataset(store, ref)
    whole = Draw(
        dataset=ref.name, version=ref.version, fingerprint=manifest.fingerprint, pairs=max(1, manifest.accepted)
    )
    if version.selection is None:
        return whole
    return kept_pairs(whole, version.selection, read_selection(store, ref, version.selection).kept)
