"""The server itself compares what arrives with the checksum that was sent."""

from __future__ import annotations

from base64 import b64decode
from typing import Any
from uuid import uuid4

import pytest

from storage.errors import StoreError
from storage.s3 import S3Store
from storage.server import StoreAddress

pytestmark = pytest.mark.server


@pytest.fixture
def store(managed: StoreAddress) -> S3Store:
    """A store of its own client."""
    return managed.store(f"test-{uuid4().hex}", attempts=1)


def spoil(store: S3Store, operation: str) -> list[dict[str, str]]:
    """From now on the body changes on its way, after it was signed and its checksum taken."""
    sent: list[dict[str, str]] = []

    def change(request: Any, **_: Any) -> None:
        sent.append({name.lower(): str(value) for name, value in request.headers.items()})
        body = bytearray(request.body if isinstance(request.body, bytes) else request.body.read())
        body[0] ^= 1
        request.body = bytes(body)

    store.client.meta.events.register(f"before-send.s3.{operation}", change)
    return sent


@pytest.mark.parametrize("size", [1000, 7 << 20])
def test_a_bit_that_turns_on_the_way_is_refused_and_nothing_is_stored(store: S3Store, size: int) -> None:
    sent = spoil(store, "PutObject")
    with pytest.raises(StoreError):
        store.put("pairs/00000.tar", bytes(size))
    assert sent
    assert all("x-amz-checksum-sha256" in headers for headers in sent)
    assert store.head("pairs/00000.tar") is None


def test_the_checksum_is_kept_with_the_object(store: S3Store) -> None:
    digest = store.put("pairs/00000.tar", b"films")
    found = store.client.get_object(Bucket=store.bucket, Key=f"{store.prefix}/pairs/00000.tar", ChecksumMode="ENABLED")
    assert b64decode(found["ChecksumSHA256"]).hex() == digest
