"""Read one S3 object as a stream that goes on where a connection broke off."""

from __future__ import annotations

from contextlib import AbstractContextManager
from io import RawIOBase
from typing import Any

from botocore.exceptions import IncompleteReadError, ReadTimeoutError, ResponseStreamingError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

BROKEN_BODY = (IncompleteReadError, ReadTimeoutError, ResponseStreamingError)


class ResumingReader(RawIOBase):
    """The object's bytes from the first on.

    Args:
        client: a botocore S3 client.
        bucket, key: the object.
        explained: context manager that turns botocore's errors into ours.
        attempts: how often one read is tried.
    """

    def __init__(
        self, client: Any, bucket: str, key: str, explained: AbstractContextManager[Any], attempts: int
    ) -> None:
        super().__init__()
        self._client, self._place = client, {"Bucket": bucket, "Key": key}
        self._explained = explained
        self._policy = Retrying(
            stop=stop_after_attempt(attempts),
            wait=wait_random_exponential(multiplier=0.1, max=5),
            retry=retry_if_exception_type(BROKEN_BODY),
            reraise=True,
        )
        self._position = 0
        first = client.get_object(**self._place)
        self._body, self._etag = first["Body"], first["ETag"]

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next block of at most `size` bytes, without a copy; all that is left if `size` is negative."""
        if size < 0:
            return self.readall()
        with self._explained:
            block = self._policy(self._next, size)
        self._position += len(block)
        return block

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` as far as the next block goes; 0 at the end."""
        block = self.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        """Give the connection back."""
        if not self.closed and self._body is not None:
            self._body.close()
        super().close()

    def _next(self, size: int) -> bytes:
        if self._body is None:
            rest = self._client.get_object(**self._place, Range=f"bytes={self._position}-", IfMatch=self._etag)
            self._body = rest["Body"]
        try:
            return self._body.read(size)
        except BROKEN_BODY:
            self._body.close()
            self._body = None
            raise
