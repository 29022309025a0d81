"""Put the files of a card into the store, once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from storage.errors import AlreadyExists
from storage.objects import ObjectStore


def keep_text(store: ObjectStore, key: str, text: str, content_type: str) -> None:
    """Put a text unless the key is taken: an earlier attempt wrote it from the same shards."""
    try:
        store.put(key, text.encode(), content_type=content_type)
    except AlreadyExists:
        return


def keep_file(store: ObjectStore, key: str, path: Path) -> str:
    """Put the file unless the key is taken; the SHA-256 of what the store then holds."""
    try:
        return store.put(key, path, content_type="application/vnd.apache.parquet")
    except AlreadyExists:
        digest = hashlib.sha256()
        with store.open(key) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
