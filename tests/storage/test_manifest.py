"""A manifest is taken only as it was written, and for the version that it is of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from storage.errors import ManifestConflict
from storage.layout import DatasetRef
from storage.local import LocalStore
from storage.manifest import find_manifest

World = Callable[..., DatasetRef]


def sealed(document: dict[str, Any]) -> bytes:
    """A manifest's bytes with a seal that fits, as somebody with this program could make them."""
    data = json.dumps(document | {"seal": ""}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return data.replace(b'"seal":""', f'"seal":"{hashlib.sha256(data).hexdigest()}"'.encode())


@pytest.fixture
def ref(local_store: LocalStore, publish: World) -> DatasetRef:
    """A published version."""
    return publish(local_store)


def put(store: LocalStore, ref: DatasetRef, data: bytes) -> None:
    store.put(ref.manifest, data, create_only=False)


def document(store: LocalStore, ref: DatasetRef) -> dict[str, Any]:
    return json.loads(store.get(ref.manifest))


def test_a_manifest_is_read_as_it_was_written(local_store: LocalStore, ref: DatasetRef) -> None:
    put(local_store, ref, sealed(document(local_store, ref)))
    found = find_manifest(local_store, ref)
    assert found is not None
    assert found.accepted == 4


def test_a_manifest_without_its_seal_is_refused(local_store: LocalStore, ref: DatasetRef) -> None:
    held = document(local_store, ref)
    for edited in (held | {"seal": ""}, {name: value for name, value in held.items() if name != "seal"}):
        put(local_store, ref, json.dumps(edited).encode())
        with pytest.raises(ManifestConflict, match=r"manifest\.json has no seal"):
            find_manifest(local_store, ref)


@pytest.mark.parametrize(
    ("key", "part"),
    [
        ("../../films/other/pairs/00000.tar", "pairs"),
        ("/etc/passwd", "pairs"),
        ("pairs\\00000.tar", "pairs"),
        ("datasets/films/other/pairs/00000.tar", "pairs"),
        ("pairs/00001.tar", "pairs"),
        ("pairs/00000.tar", "index"),
        ("recipe.yaml", "rejects"),
        ("pairs/\x1b[2J.tar", "reports"),
    ],
)
def test_an_object_elsewhere_is_refused(local_store: LocalStore, ref: DatasetRef, key: str, part: str) -> None:
    held = document(local_store, ref)
    held["shards"][0][part]["key"] = key
    put(local_store, ref, sealed(held))
    with pytest.raises(ManifestConflict, match=f"as the {part} of shard 0, where only") as refused:
        find_manifest(local_store, ref)
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 4}, "has format 4, this program reads up to 3: upgrade"),
        ({"version": "other"}, "is the manifest of films/other, not of films/v-"),
        ({"asked": "six"}, "is not a manifest: asked: Input should be a valid integer"),
        ({"documents": {"../other": "0" * 64}}, r"names '\.\./other' as a document, where no document of its own"),
        ({"surprise": 1}, "is not a manifest: surprise: Extra inputs"),
    ],
)
def test_what_does_not_fit_is_named(
    local_store: LocalStore, ref: DatasetRef, change: dict[str, Any], told: str
) -> None:
    put(local_store, ref, sealed(document(local_store, ref) | change))
    with pytest.raises(ManifestConflict, match=told) as refused:
        find_manifest(local_store, ref)
    assert str(refused.value).startswith(local_store.uri(ref.manifest))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"\xff", b"[" * 90_000, b'{"format":1,"format":1}'])
def test_what_is_no_manifest_is_one_line(local_store: LocalStore, ref: DatasetRef, data: bytes) -> None:
    put(local_store, ref, data)
    with pytest.raises(ManifestConflict, match="is not a manifest") as refused:
        find_manifest(local_store, ref)
    assert "\n" not in str(refused.value)
