"""Take an arm's pairs from a dataset version: which samples, their texts, and their bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.pretrain.arms import Draw, kept_sha256

if TYPE_CHECKING:
    from storage.loader import Part
    from storage.objects import ObjectStore
    from storage.shards import Sample
    from storage.versions import Version


@dataclass(frozen=True, slots=True)
class DatasetSubset:
    """The chosen samples of one dataset version.

    Args:
        store: where it is.
        name: of the version.
        fingerprint: of the version's recipe.
        parts: the chosen samples by tar, in the order of the version.
        texts: their reports, in the same order.
    """

    store: ObjectStore
    name: str
    fingerprint: str
    parts: tuple[Part, ...]
    texts: tuple[str, ...]

    @property
    def ids(self) -> tuple[str, ...]:
        """The chosen samples, in the order of the version."""
        return tuple(sample for part in self.parts for sample in part.ids)

    def read(self, only: frozenset[str] | None = None) -> Iterator[Sample]:
        """The chosen samples in the order of the version, or `only` some of them, streamed from the store.

        Raises:
            CorruptShard, ObjectMissing: the message names the tar.
        """
        from storage.loader import read_parts

        return read_parts(self.store, self.parts, only)


def open_subset(store: ObjectStore, draw: Draw, seed: int) -> DatasetSubset:
    """Draw ``draw.pairs`` pairs of a version at random: those whose hash with `seed` is lowest.

    Whether a sample is drawn depends on its id and the seed, not on how the dataset is cut into shards. A film without
    a text is never drawn.

    Raises:
        DatasetMissing: no such version.
        ValueError: version or selection are not those that the arm was planned on, or hold fewer pairs.
    """
    from storage.indices import version_indices
    from storage.layout import DatasetRef
    from storage.loader import some_parts
    from storage.versions import Version

    ref = DatasetRef(draw.dataset, draw.version)
    version = Version.open(store, ref)
    manifest = version.manifest
    if manifest.fingerprint != draw.fingerprint:
        raise ValueError(
            f"dataset {ref} has fingerprint {manifest.fingerprint[:12]}, but the arm was planned on "
            f"{draw.fingerprint[:12]}: plan the arms again"
        )
    indices = version_indices(version)
    held = {index.key: index.ids for index in indices}
    ids = _kept(version, draw) if draw.selection is not None else [sample for kept in held.values() for sample in kept]
    blank = without_text(version)
    ids = [sample for sample in ids if sample not in blank]
    if len(ids) < draw.pairs:
        raise ValueError(f"dataset {ref} offers {len(ids)} pairs, but the arm takes {draw.pairs}")
    chosen = sorted(ids, key=lambda sample: hashlib.sha256(f"{seed}/{sample}".encode()).digest())[: draw.pairs]
    try:
        parts = tuple(some_parts(held, chosen))
    except ValueError as error:
        raise ValueError(f"dataset {ref}: {error}; `synth verify` lists what is damaged") from error
    text_of = {sample: text for index in indices for sample, text in zip(index.ids, index.texts, strict=True)}
    texts = tuple(text_of[sample] for part in parts for sample in part.ids)
    return DatasetSubset(store, str(ref), manifest.fingerprint, parts, texts)


def without_text(version: Version) -> frozenset[str]:
    """Ids of the films of an ingested version that have neither a report nor labels to make one from.

    Raises:
        ObjectMissing, CorruptShard: an index cannot be read.
    """
    from storage.indices import version_indices
    from storage.shards import report_text

    if not version.manifest.statistics.get("text_from", {}).get("none"):
        return frozenset()
    blank = report_text("", "")
    texts = ((index.ids, index.texts) for index in version_indices(version))
    return frozenset(sample for ids, own in texts for sample, text in zip(ids, own, strict=True) if text == blank)


def _kept(version: Version, draw: Draw) -> tuple[str, ...]:
    """What the selection keeps: what it kept when the arm was planned."""
    from tasks.curate.keep import read_selection

    ids = tuple(read_selection(version, str(draw.selection)).kept)
    if draw.selected and kept_sha256(ids) != draw.selected:
        raise ValueError(
            f"selection {draw.selection!r} of {version} keeps other pairs than when the arm was planned: plan "
            "the arms again"
        )
    return ids
