"""The card of an ingested archive: terms, films, texts and labels, counted while its rows stream by."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from storage.records import Manifest, PairRow, RejectRow
from storage.versions import Version
from tasks.publish.card import header_of, markdown_templates
from tasks.publish.croissant import build_croissant
from tasks.publish.files import keep_file, keep_text
from tasks.publish.table import RecordTable

LIMITS = "Films of real patients under the terms above: not for clinical use, and nobody may be identified by them."
_REJECTS = 50
_MARKS = (1, 0, -1)


@dataclass(slots=True)
class FilmTally:
    """The facts in the rows of an archive, counted; `labels` has films with 1, 0 and -1 for each."""

    labels: dict[str, list[int]] = field(default_factory=dict)
    text_from: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    with_boxes: int = 0
    with_masks: int = 0
    patients: set[bytes] = field(default_factory=set)

    def add(self, rows: Sequence[PairRow]) -> None:
        """Count the rows of one shard."""
        for row in rows:
            for name, mark in row.labels.items():
                counts = self.labels.setdefault(name, [0, 0, 0])
                counts[_MARKS.index(mark)] += 1
            self.text_from[row.text_from] += 1
            self.views[row.view or "not given"] += 1
            self.with_boxes += bool(row.boxes)
            self.with_masks += bool(row.masks)
            if row.patient is not None:
                self.patients.add(hashlib.blake2b(row.patient.encode(), digest_size=8).digest())

    def figures(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {
            "labels": self.labels,
            "text_from": dict(self.text_from.most_common()),
            "views": dict(self.views.most_common()),
            "with_boxes": self.with_boxes,
            "with_masks": self.with_masks,
            "patients": len(self.patients),
        }


def write_archive_card(version: Version, rules: str, size: int) -> Manifest:
    """Write README.md, croissant.json and records.parquet of an ingested version; files that are there stay.

    Args:
        version: its manifest need not be written yet.
        rules: by which text was made from labels.
        size: of a film's side, in pixels.

    Returns:
        The manifest with the counts among its statistics.
    """
    store, ref, tally = version.store, version.ref, FilmTally()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records.parquet")
        with RecordTable(path) as table:
            for entry in version.manifest.shards:
                rows = version.shard_rows(entry)
                tally.add(rows)
                table.add(entry.shard, rows)
        digest = keep_file(store, ref.card("records.parquet"), path)
    statistics = {**version.manifest.statistics, **tally.figures()}
    manifest = version.manifest.model_copy(update={"statistics": statistics})
    rejects = list(islice(version.rejects(), _REJECTS))
    keep_text(store, ref.card("croissant.json"), build_croissant(manifest, digest, LIMITS), "application/ld+json")
    card = _card(manifest, rejects, rules, size)
    keep_text(store, ref.card("README.md"), card, "text/markdown; charset=utf-8")
    return manifest


def _card(manifest: Manifest, rejects: Sequence[RejectRow], rules: str, size: int) -> str:
    return (
        markdown_templates()
        .get_template("archive_card.md.j2")
        .render(
            header=header_of(manifest, ["chest-x-ray", "radiology", "webdataset"]),
            manifest=manifest,
            archive=manifest.models["archive"],
            figures=manifest.statistics,
            rejects=rejects,
            rules=rules,
            size=size,
        )
    )
