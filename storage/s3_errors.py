"""boto3's errors as ours: each says which bucket at which endpoint, and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from storage.errors import (
    AccessDenied,
    AlreadyExists,
    ConditionalWritesMissing,
    ObjectMissing,
    StoreError,
    StoreFull,
    StoreUnreachable,
)

_DENIED = {
    "403",
    "AccessDenied",
    "AllAccessDisabled",
    "ExpiredToken",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidToken",
    "SignatureDoesNotMatch",
}
_FULL = {"507", "EntityTooLarge", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "StorageFull"}
_LITTLE, _ROOMY = 256 << 20, 4 << 30
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) to a user that may read and write it"


def code_of(error: BaseException) -> str:
    """The S3 error code, such as ``PreconditionFailed``; empty for other errors."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


class Explainer:
    """Context manager that turns what botocore raises into the errors of `storage.errors`."""

    def __init__(self, where: str, subject: str, disk: Path | None = None) -> None:
        self.where, self.subject, self.disk = where, subject, disk

    def __enter__(self) -> Explainer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, ClientError):
            raise self._refusal(error) from error
        if isinstance(error, NoCredentialsError | PartialCredentialsError):
            raise AccessDenied(f"no credentials for {self.where}: {_CREDENTIALS}") from error
        if isinstance(error, ConnectionError | HTTPClientError):
            raise StoreUnreachable(
                f"{self.where} does not answer ({error}): check storage.endpoint, the network, and that the store "
                "runs (`synth serve` starts the managed one)"
            ) from error
        if isinstance(error, BotoCoreError):
            raise StoreError(f"{self.where}, {self.subject}: {error}") from error

    def _refusal(self, error: ClientError) -> StoreError:
        code = code_of(error)
        if code in ("PreconditionFailed", "412"):
            return AlreadyExists(f"{self.subject} exists already in {self.where}")
        if code in ("NoSuchKey", "404") and self.subject != "the bucket":
            return ObjectMissing(f"no object {self.subject!r} in {self.where}")
        if code in ("NoSuchBucket", "404"):
            return StoreUnreachable(f"{self.where} does not exist: create the bucket, or correct storage.root")
        if code in _DENIED:
            return AccessDenied(f"{self.where} refuses these credentials ({code}): {_CREDENTIALS}")
        if code in _FULL:
            return StoreFull(f"{self.where} is full ({code}) at {self.subject}: make room; finished shards stay")
        if code == "NotImplemented":
            return ConditionalWritesMissing(f"{self.where} does not know a header we need: {error}; use another store")
        if code == "InternalError":
            return self._inside(error)
        return StoreError(f"{self.where}, {self.subject}: {error}")

    def _inside(self, error: ClientError) -> StoreError:
        """SeaweedFS answers a full disk with InternalError; on a disk of ours we can look."""
        if self.disk is not None and self.disk.exists():
            usage = shutil.disk_usage(self.disk)
            if usage.free < max(0.1 * usage.total, _LITTLE) and usage.free < _ROOMY:
                return StoreFull(
                    f"the disk of the managed store is full ({usage.free / 2**20:.0f} MiB free at {self.disk}): make "
                    "room and end the store (`synth stop`), which writes again when it is started again, or point "
                    f"storage.root elsewhere; finished shards stay and the run resumes ({self.subject})"
                )
        return StoreError(f"{self.where}, {self.subject}: {error} Its log says why; a full disk is the usual cause.")
