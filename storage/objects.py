"""Objects under keys: one interface over an S3 bucket and over a local folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from storage.errors import AlreadyExists


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object: key under the store's root, size in bytes, entity tag where the store has one."""

    key: str
    size: int
    etag: str | None = None


@runtime_checkable
class ObjectStore(Protocol):
    """Whole objects under keys such as ``datasets/x/v1/manifest.json``.

    Readers see an object whole or not at all. Every method raises `StoreUnreachable` or `AccessDenied`
    where that is the cause.
    """

    @property
    def root(self) -> str:
        """The address that `storage.open.open_store` takes."""
        ...

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises `ObjectMissing`."""
        ...

    def open(self, key: str) -> BinaryIO:
        """A streaming reader; close it. Raises `ObjectMissing`."""
        ...

    def put(self, key: str, data: bytes | Path, *, create_only: bool = True, content_type: str | None = None) -> str:
        """Write one whole object, from memory or from a file, and return its SHA-256 in hex.

        Raises:
            AlreadyExists: `create_only` and the key is taken; nothing was changed.
            StoreFull: no room; nothing was written.
        """
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """Size and tag, or None when there is no such object."""
        ...

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with `prefix`; every store has an order of its own."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when it is not there."""
        ...

    def uri(self, key: str) -> str:
        """The object's address for other programs: ``s3://bucket/…`` or ``file:///…``."""
        ...

    def check(self) -> None:
        """Prove that the store can be reached, written, and never overwrites on a create-only write.

        Raises:
            StoreUnreachable, AccessDenied, ConditionalWritesMissing, StoreFull: with the remedy.
        """
        ...


def get_or_make(store: ObjectStore, key: str, make: Callable[[], bytes]) -> bytes:
    """What is stored under `key`, made and kept first if there is nothing; a faster rival's is taken as it is."""
    if store.head(key) is not None:
        return store.get(key)
    data = make()
    try:
        store.put(key, data)
    except AlreadyExists:
        return store.get(key)
    return data


def check_key(key: str) -> str:
    """Return `key` if it is a plain relative path.

    Raises:
        ValueError: empty, absolute, with an empty, ``.`` or ``..`` part, a backslash or a control character.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in key or not key.isprintable():
        raise ValueError(f"object key {key!r} is not a plain relative path")
    if parts[0] == ".tmp":
        raise ValueError(f"object key {key!r}: .tmp is where a local store keeps unfinished writes")
    return key
