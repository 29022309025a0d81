"""Stores of format 1 stay readable: `format1` was written before rows told patients, boxes and the like."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.local import LocalStore
from storage.manifest import find_manifest
from storage.records import FILM_FACTS, Manifest
from storage.shards import row_of
from storage.tags import resolve
from storage.versions import Version, published
from tests.storage.agreement import check_objects

OLD = Path(__file__).parent / "format1"
PAIRS, ARCHIVE = DatasetRef("old-pairs", "v1"), DatasetRef("old-archive", "v1")


@pytest.fixture
def old(tmp_path: Path) -> LocalStore:
    return LocalStore(shutil.copytree(OLD, tmp_path / "store"))


def manifest_of(store: LocalStore, ref: DatasetRef) -> Manifest:
    manifest = find_manifest(store, ref)
    assert manifest is not None
    return manifest


def test_its_versions_and_tags_are_found(old: LocalStore) -> None:
    assert published(old) == [ARCHIVE, PAIRS]
    assert resolve(old, "old-pairs@latest") == PAIRS


@pytest.mark.parametrize("ref", [PAIRS, ARCHIVE])
def test_manifest_and_objects_are_sound(old: LocalStore, ref: DatasetRef) -> None:
    manifest = manifest_of(old, ref)
    assert (manifest.format, manifest.label_set, manifest.agreement, manifest.accepted) == (1, "", "", 3)
    check_objects(old, ref, manifest, deep=True)
    assert list(committed_shards(old, ref).values()) == manifest.shards


@pytest.mark.parametrize("ref", [PAIRS, ARCHIVE])
def test_rows_and_samples_are_read_and_say_nothing_new(old: LocalStore, ref: DatasetRef) -> None:
    manifest = manifest_of(old, ref)
    rows = list(Version(old, ref, manifest).rows())
    assert [row_of(sample, "tar") for sample in Version(old, ref, manifest).samples()] == rows
    assert len(rows) == 3
    for row in rows:
        assert all(getattr(row, name) in (None, "", []) for name in FILM_FACTS)
        assert not {*row.model_dump()} & {*FILM_FACTS}
        assert set(row.labels.values()) <= {0, 1}
