"""A store in an S3 bucket, through botocore; create-only is ``If-None-Match: *``."""

from __future__ import annotations

import hashlib
import os
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import replace
from functools import partial
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any, BinaryIO, cast
from uuid import uuid4

from botocore.exceptions import ClientError
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    wait_random_exponential,
)

from storage.addresses import redact
from storage.errors import AlreadyExists, ConditionalWritesMissing, ObjectTooLarge, StoreUnreachable
from storage.objects import ObjectInfo, check_key
from storage.s3_errors import THE_BUCKET, Explainer, code_of, is_passing
from storage.s3_reader import BROKEN_BODY, ResumingReader
from storage.s3_session import Connection

_CONNECTING = threading.Lock()


class S3Store:
    """Objects in `bucket` under `prefix`.

    Requests are retried by botocore (standard mode). A create-only write whose answer was lost is kept
    apart from a lost race by a token in the object's metadata.

    An object goes up whole, in one request: that is atomic everywhere, while SeaweedFS 4.48 let two of eight racing
    uploads in parts win.

    Args:
        bucket, prefix: where the objects are.
        connection: how the service is reached; None takes Amazon's, with what botocore finds in the environment.
        disk: folder of the server's data where it is ours, to distinguish a full disk from other failures.
    """

    largest = 5 << 30
    """Bytes of an object that one request may carry."""

    def __init__(
        self, bucket: str, prefix: str = "", connection: Connection | None = None, *, disk: Path | None = None
    ) -> None:
        self.bucket, self.prefix = bucket, prefix.strip("/")
        self.connection, self.disk = connection or Connection(), disk
        self._clients: dict[int, Any] = {}

    def __repr__(self) -> str:
        return f"S3Store({self.root!r}, endpoint={redact(str(self.connection.address))!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_clients": {}}

    @property
    def root(self) -> str:
        """``s3://bucket/prefix``"""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def client(self) -> Any:
        """The client of this process; a forked worker gets connections of its own."""
        pid = os.getpid()
        if pid not in self._clients:
            with _CONNECTING:
                if pid not in self._clients:
                    self._clients[pid] = self._connect()
        return self._clients[pid]

    def get(self, key: str) -> bytes:
        """The object's bytes; a body that breaks off is read again."""

        def read() -> bytes:
            return self.client.get_object(Bucket=self.bucket, Key=self._key(key))["Body"].read()

        with self.explained(key):
            return _again(read, lambda error: isinstance(error, BROKEN_BODY), self.connection.attempts)

    def open(self, key: str) -> BinaryIO:
        """A streaming reader that goes on where a connection broke off."""
        with self.explained(key):
            raw = ResumingReader(
                self.client, self.bucket, self._key(key), self.explained(key), self.connection.attempts
            )
        return cast(BinaryIO, BufferedReader(raw, 1 << 18))

    def put(self, key: str, data: bytes | Path, *, create_only: bool = True, content_type: str | None = None) -> str:
        """Write one whole object and return its SHA-256.

        Raises:
            ObjectTooLarge: it has more bytes than one request may carry; nothing was sent.
        """
        body = data.open("rb") if isinstance(data, Path) else BytesIO(data)
        with body:
            if (size := body.seek(0, os.SEEK_END)) > self.largest:
                raise ObjectTooLarge(
                    f"{self.uri(key)}: {size / (1 << 30):.1f} GiB, and S3 takes an object of {self.largest >> 30} GiB "
                    "at most in one request: make smaller shards (shard_size)"
                )
            body.seek(0)
            digest = hashlib.sha256(data) if isinstance(data, bytes) else hashlib.file_digest(body, "sha256")
            writer = uuid4().hex
            request = {
                "Bucket": self.bucket,
                "Key": self._key(key),
                "ChecksumAlgorithm": "SHA256",
                "Metadata": {"sha256": digest.hexdigest(), "writer": writer},
                "ContentType": content_type or "application/octet-stream",
            }
            checksum = b64encode(digest.digest()).decode()
            condition = {"IfNoneMatch": "*"} if create_only else {}

            def send() -> None:
                body.seek(0)
                self.client.put_object(**request, **condition, Body=body, ChecksumSHA256=checksum)

            with self.explained(key):
                try:
                    _again(
                        send, lambda error: code_of(error) == "ConditionalRequestConflict", self.connection.attempts
                    )
                except ClientError as error:
                    if code_of(error) != "PreconditionFailed" or not self._is_ours(key, writer):
                        raise
        return digest.hexdigest()

    def head(self, key: str) -> ObjectInfo | None:
        """Size and tag, or None when there is no such object."""
        with self.explained(key):
            try:
                found = self.client.head_object(Bucket=self.bucket, Key=self._key(key))
            except ClientError as error:
                if code_of(error) in ("404", "NoSuchKey"):
                    return None
                raise
        return ObjectInfo(key, found["ContentLength"], found["ETag"].strip('"'))

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with `prefix`, as the server orders them (SeaweedFS: folder by folder)."""
        base = f"{self.prefix}/" if self.prefix else ""
        with self.explained(prefix):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=base + prefix)
            for page in pages:
                for found in page.get("Contents", ()):
                    yield ObjectInfo(found["Key"].removeprefix(base), found["Size"], found["ETag"].strip('"'))

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens when it is not there."""
        with self.explained(key):
            self.client.delete_object(Bucket=self.bucket, Key=self._key(key))

    def uri(self, key: str) -> str:
        """``s3://bucket/…``"""
        return f"{self.root}/{check_key(key)}" if key else self.root

    def at(self, prefix: str) -> S3Store:
        """Another prefix of the same bucket, reached in the same way."""
        other = copy(self)
        other.prefix = prefix.strip("/")
        return other

    def check(self) -> None:
        """Prove that bucket, credentials and create-only writes are right, in a few seconds."""
        self.reach()
        self._check_conditional(f"probe-{uuid4().hex}")

    def reach(self) -> None:
        """Prove that the bucket is there and opens to these credentials; nothing is written.

        Raises:
            StoreUnreachable, AccessDenied: with the cause and the remedy.
        """
        once = copy(self)
        once.connection, once._clients = replace(self.connection, attempts=1, connect_timeout=3, read_timeout=10), {}
        with once.explained(THE_BUCKET):
            # Unlike HeadBucket, a refused listing gives the reason. These tries wait less in between than botocore's.
            prefix = self._key("probe-")
            ask = partial(once.client.list_objects_v2, Bucket=self.bucket, Prefix=prefix, MaxKeys=1)
            found = _again(ask, is_passing, self.connection.attempts)
        if "Name" not in found:
            raise StoreUnreachable(f"{self._where()} is no S3 server: correct storage.endpoint")

    def _check_conditional(self, key: str) -> None:
        self.put(key, b"first")
        try:
            try:
                self.put(key, b"second")
                refused = False
            except AlreadyExists:
                refused = True
            if not refused or self.get(key) != b"first":
                raise ConditionalWritesMissing(
                    f"{self._where()} ignores 'If-None-Match: *' and overwrites: two writers could leave two versions "
                    "of one shard. Use a store with conditional writes (AWS S3, SeaweedFS, MinIO, Ceph), or a folder"
                )
        finally:
            self.delete(key)

    def _is_ours(self, key: str, writer: str) -> bool:
        """Whether the stored object came from this very call: its answer was lost and botocore sent it again."""
        found = self.client.head_object(Bucket=self.bucket, Key=self._key(key))
        return found.get("Metadata", {}).get("writer") == writer

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{check_key(key)}" if self.prefix else check_key(key)

    def _where(self) -> str:
        return redact(f"bucket {self.bucket!r} at {self.connection.address or 'the default S3 endpoint'}")

    def explained(self, subject: str) -> Explainer:
        """Turn botocore errors about `subject` into ours."""
        return Explainer(self._where(), subject, self.disk)

    def _connect(self) -> Any:
        try:
            return self.connection.client()
        except ValueError as error:
            address = redact(str(self.connection.address))
            raise StoreUnreachable(f"storage.endpoint {address!r} is not an address of an S3 server") from error


def _again(call: Callable[[], Any], worth: Callable[[BaseException], bool], attempts: int) -> Any:
    """Call until it succeeds, at most `attempts` times and no more after 15 s, while the error is `worth` another."""
    policy = Retrying(
        stop=stop_any(stop_after_attempt(attempts), stop_after_delay(15)),
        wait=wait_random_exponential(multiplier=0.1, max=5),
        retry=retry_if_exception(worth),
        reraise=True,
    )
    return policy(call)
