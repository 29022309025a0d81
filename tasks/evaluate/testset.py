"""A labelled dataset version as an evaluation task sees it; nothing is read before it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from models.findings.label_sets import load
from storage.canonical import canonical_json
from storage.layout import DatasetRef
from storage.records import Manifest, PairRow
from storage.versions import open_dataset, pair_rows
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.prompts import DEFAULT

if TYPE_CHECKING:
    from storage.objects import ObjectStore


@dataclass(slots=True)
class TestSet:
    """The images and rows of a dataset version, or of a selection of it.

    Args:
        store, ref, manifest: the version.
        selection: name of a curated selection of it; None for all of it.
    """

    store: ObjectStore
    ref: DatasetRef
    manifest: Manifest
    selection: str | None = None
    _kept: frozenset[str] | None = None
    _rows: tuple[PairRow, ...] = ()
    _images: dict[int, np.ndarray] = field(default_factory=dict)
    __test__ = False  # no test of pytest's

    def __str__(self) -> str:
        return f"{self.ref}/{self.selection}" if self.selection else str(self.ref)

    def identity(self) -> dict[str, Any]:
        """What names its content: the version's fingerprint, and a hash of what the selection keeps."""
        kept = self._kept_ids()
        ids = hashlib.sha256(canonical_json(sorted(kept)).encode()).hexdigest() if kept is not None else ""
        return {"dataset": self.ref.name, "version": self.ref.version, "fingerprint": self.manifest.fingerprint,
                "selected": ids}  # fmt: skip

    def rows(self) -> tuple[PairRow, ...]:
        """Every sample's row, in the order of the version; read once.

        Raises:
            CorruptShard: an index cannot be read.
            CannotScore: there is no sample.
        """
        if not self._rows:
            kept = self._kept_ids()
            rows = pair_rows(self.store, self.ref, self.manifest)
            self._rows = tuple(row for row in rows if kept is None or row.sample_id in kept)
        if not self._rows:
            raise CannotScore(f"dataset {self} holds no images: nothing to evaluate on")
        return self._rows

    def ids(self) -> tuple[str, ...]:
        """Ids of the samples, in the order of `rows`."""
        return tuple(row.sample_id for row in self.rows())

    def images(self, size: int) -> np.ndarray:
        """The images (n, size, size) uint8, in the order of `rows`; decoded once per size.

        Raises:
            CorruptShard, ObjectMissing: the message names the tar or the sample.
        """
        if size not in self._images:
            from tasks.pretrain.images import read_images

            self._images = {size: read_images(self.store, self.ref, self.manifest, self.ids(), size)}
        return self._images[size]

    def known_labels(self) -> frozenset[str]:
        """Labels that any row states."""
        return frozenset().union(*(row.labels for row in self.rows()))

    def truth(self, names: Sequence[str]) -> np.ndarray:
        """Labels (n, names) float64 as the rows hold them: 1, 0, -1 for uncertain, NaN where a row does not say.

        Args:
            names: as the label set spells them; a row may use an alias.
        """
        known = load(self.manifest.label_set or DEFAULT)
        spelt = {label: found.name for label in self.known_labels() if (found := known.find(label)) is not None}
        table = np.full((len(self.rows()), len(names)), np.nan)
        place = {name: at for at, name in enumerate(names)}
        for row, values in zip(table, (row.labels for row in self.rows()), strict=True):
            for label, value in values.items():
                if (at := place.get(spelt.get(label, label))) is not None:
                    row[at] = value
        return table

    def _kept_ids(self) -> frozenset[str] | None:
        if self.selection is not None and self._kept is None:
            from tasks.curate.keep import read_selection

            self._kept = frozenset(read_selection(self.store, self.ref, self.selection).kept)
        return self._kept


def open_test_set(store: ObjectStore, ref: DatasetRef, selection: str | None = None) -> TestSet:
    """A published version as a test set.

    Raises:
        DatasetMissing: there is no such version.
    """
    return TestSet(store, ref, open_dataset(store, ref), selection)
