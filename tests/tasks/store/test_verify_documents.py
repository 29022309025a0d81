"""The documents beside the shards are verified by the hashes that the manifest keeps of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.local import LocalStore
from storage.manifest import find_manifest
from storage.records import ReportEntry
from storage.stage_documents import put_model_card, put_report_entry
from storage.versions import VersionPlace
from tasks.publish.dataset import ManifestFacts, frozen_recipe, publish_manifest
from tasks.publish.frozen_weights import freeze_weights
from tasks.store.verify import verify_dataset
from tests.storage.test_manifest import sealed

DOCUMENTS = ("models/reports.json", "recipe.yaml", "reports/00000.json", "reports/00001.json", "weights.json")


@pytest.fixture
def ref(local_store: LocalStore, begin: Callable[..., DatasetRef]) -> DatasetRef:
    """A published version with weights, a model card and report entries, as the stages leave them."""
    ref, card = begin(local_store), {"name": "writer", "revision": "r1"}
    place = VersionPlace(local_store, ref)
    freeze_weights(place, {"reports.model": {"model.safetensors": "a" * 64}})
    put_model_card(local_store, ref, "reports", card)
    for shard in (0, 1):
        put_report_entry(local_store, ref, ReportEntry(shard=shard, accepted=3, rejected=0, seconds={"reports": 1.5}))
    facts = ManifestFacts(fingerprint=frozen_recipe(place)[0], asked=6, models={"reports": card})
    publish_manifest(place, list(committed_shards(local_store, ref).values()), facts)
    return ref


def problems(store: LocalStore, ref: DatasetRef) -> list[str]:
    return [f"{problem.object}: {problem.what}" for problem in verify_dataset(store, ref).problems]


def flip(store: LocalStore, key: str) -> None:
    data = store.get(key)
    store.put(key, data[:-3] + bytes([data[-3] ^ 1]) + data[-2:], create_only=False)


def test_a_version_as_it_was_published_has_nothing_wrong(local_store: LocalStore, ref: DatasetRef) -> None:
    found = verify_dataset(local_store, ref)
    assert (found.problems, found.notes) == ((), ())
    assert found.objects == 8 + len(DOCUMENTS) + 1  # four objects a shard, the documents, the manifest


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_flipped_byte_and_a_missing_document_are_found(local_store: LocalStore, ref: DatasetRef, name: str) -> None:
    flip(local_store, ref.key(name))
    (found, *_) = problems(local_store, ref)
    assert found.startswith(f"{name}: has SHA-256 ")
    local_store.delete(ref.key(name))
    assert problems(local_store, ref) == [f"{name}: is missing"]


def test_a_manifest_of_format_2_has_no_hashes_and_verifies(local_store: LocalStore, ref: DatasetRef) -> None:
    document = json.loads(local_store.get(ref.manifest)) | {"format": 2}
    assert tuple(document.pop("documents")) == DOCUMENTS
    local_store.put(ref.manifest, sealed(document), create_only=False)
    manifest = find_manifest(local_store, ref)
    assert manifest is not None
    assert "documents" not in manifest.model_dump()
    assert verify_dataset(local_store, ref).problems == ()
    flip(local_store, ref.weights)
    assert problems(local_store, ref) == []
