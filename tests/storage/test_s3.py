"""What only S3 has: limits, refusals, and servers that do not keep their word."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import (
    AccessDenied,
    AlreadyExists,
    ConditionalWritesMissing,
    ObjectTooLarge,
    StoreFull,
    StoreUnreachable,
)
from storage.s3 import S3Store
from storage.s3_session import Connection
from storage.server import StoreAddress
from tests.storage.small_s3 import Honest, SmallS3, serving

pytestmark = pytest.mark.server
MIB = 1 << 20


def test_an_object_that_no_request_can_carry_is_refused_before_it_is_sent(s3_store: S3Store, tmp_path: Path) -> None:
    s3_store.largest = 1 << 30
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", (1 << 30) + 1)
    told = (
        r"pairs/00000\.tar: 1\.0 GiB, and S3 takes an object of 1 GiB at most .*: make smaller shards \(shard_size\)"
    )
    with pytest.raises(ObjectTooLarge, match=told):
        s3_store.put("pairs/00000.tar", tmp_path / "big")
    assert s3_store.head("pairs/00000.tar") is None


def test_the_secret_is_in_no_repr(managed: StoreAddress) -> None:
    assert managed.secret_key not in repr(managed) + repr(managed.store())
    assert managed.environ()["AWS_SECRET_ACCESS_KEY"] == managed.secret_key


@pytest.mark.parametrize(("access", "secret"), [(None, "wrong"), ("nobody", "wrong")])
def test_wrong_credentials_are_called_that(managed: StoreAddress, access: str | None, secret: str) -> None:
    access = access or managed.access_key
    wrong = S3Store(managed.bucket, "", Connection(managed.endpoint, None, access, secret))
    with pytest.raises(AccessDenied, match=rf"{managed.bucket}.*{managed.endpoint}.*AWS_ACCESS_KEY_ID"):
        wrong.check()
    with pytest.raises(AccessDenied):
        wrong.get("anything")


def test_no_credentials_at_all(managed: StoreAddress, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(AccessDenied, match="AWS_ACCESS_KEY_ID"):
        S3Store(managed.bucket, "", Connection(managed.endpoint)).check()


def test_a_dead_endpoint_is_named_with_the_remedy() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{probe.getsockname()[1]}"
    with pytest.raises(StoreUnreachable, match=rf"{endpoint}.*storage\.endpoint"):
        S3Store("films", "", Connection(endpoint, None, "a", "b")).check()


def test_a_bucket_that_is_not_there_is_named(managed: StoreAddress) -> None:
    other = S3Store("no-such-bucket", "", managed.store().connection)
    with pytest.raises(StoreUnreachable, match=r"no-such-bucket.*does not exist"):
        other.check()


def test_an_endpoint_that_is_no_address() -> None:
    with pytest.raises(StoreUnreachable, match="127001"):
        S3Store("films", "", Connection("127001", None, "a", "b")).check()


def test_a_server_that_ignores_conditional_writes_is_refused() -> None:
    with serving(SmallS3) as store, pytest.raises(ConditionalWritesMissing, match=r"films.*If-None-Match"):
        store.check()


def test_a_server_that_refuses_and_overwrites_all_the_same_is_refused() -> None:
    class TwoFaced(SmallS3):
        def do_PUT(self) -> None:
            known = self.key in self.objects
            self.objects[self.key] = (self.body(), self.meta())
            if known:
                return self.refuse(412, "PreconditionFailed")
            return self.answer(200)

    with serving(TwoFaced) as store, pytest.raises(ConditionalWritesMissing):
        store.check()


def test_a_server_that_does_not_know_the_header_is_refused() -> None:
    class Old(SmallS3):
        def do_PUT(self) -> None:
            self.body()
            self.refuse(501, "NotImplemented")

    with serving(Old) as store, pytest.raises(ConditionalWritesMissing, match="header"):
        store.check()


def once(trouble: Callable[[SmallS3], None]) -> type[SmallS3]:
    """An honest server on which the first write meets `trouble` after it was stored."""

    class Troubled(Honest):
        troubled = False

        def do_PUT(self) -> None:
            data = self.body()
            if self.key in self.objects:
                return self.refuse(412, "PreconditionFailed")
            self.objects[self.key] = (data, self.meta())
            if not type(self).troubled:
                type(self).troubled = True
                return trouble(self)
            return self.answer(200)

    return Troubled


def test_a_write_whose_answer_was_lost_is_known_as_our_own() -> None:
    def hang_up(server: SmallS3) -> None:
        server.close_connection = True
        server.connection.shutdown(socket.SHUT_RDWR)

    with serving(once(hang_up)) as store:
        store.put("k", b"mine")
        assert store.get("k") == b"mine"
        with pytest.raises(AlreadyExists):
            store.put("k", b"mine")


def test_a_conflict_is_tried_again() -> None:
    class Busy(SmallS3):
        calls = 0

        def do_PUT(self) -> None:
            data = self.body()
            type(self).calls += 1
            if type(self).calls == 1:
                return self.refuse(409, "ConditionalRequestConflict")
            self.objects[self.key] = (data, self.meta())
            return self.answer(200)

    with serving(Busy) as store:
        store.put("k", b"v")
        assert store.get("k") == b"v"


def test_a_full_store_is_called_full() -> None:
    class Full(SmallS3):
        def do_PUT(self) -> None:
            self.body()
            self.refuse(507, "InsufficientStorage")

    with serving(Full) as store, pytest.raises(StoreFull, match="datasets/x"):
        store.put("datasets/x", b"v")


def test_a_body_that_breaks_off_is_read_on() -> None:
    data = bytes(range(256)) * 4096

    class Flaky(SmallS3):
        broken = 0

        def do_GET(self) -> None:
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
            rest = self.objects[self.key][0][start:]
            type(self).broken += 1
            cut = type(self).broken <= 2
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(rest)))
            self.send_header("ETag", '"tag"')
            self.end_headers()
            self.wfile.write(rest[: len(rest) // 2] if cut else rest)
            self.close_connection = self.close_connection or cut

    with serving(Flaky) as store:
        store.put("k", data)
        with store.open("k") as stream:
            assert stream.read() == data
        Flaky.broken = 0
        assert store.get("k") == data
