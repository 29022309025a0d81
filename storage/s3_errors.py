"""botocore's errors as ours: each names the bucket and its endpoint, the cause, and what to do, in one line."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    EndpointResolutionError,
    HTTPClientError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError

from storage.addresses import redact
from storage.errors import (
    AccessDenied,
    AlreadyExists,
    ConditionalWritesMissing,
    ObjectMissing,
    StoreError,
    StoreFull,
    StoreUnreachable,
)
from storage.s3_causes import bucket_region, clock_difference, network_cause, no_credentials

THE_BUCKET = "the bucket"
_DENIED = {
    "401",
    "403",
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "Forbidden",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "NotSignedUp",
    "SignatureDoesNotMatch",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired", "RequestExpired"}
_FULL = {"507", "EntityTooLarge", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "StorageFull"}
_BUSY = {
    "429",
    "502",
    "503",
    "504",
    "BandwidthLimitExceeded",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "TooManyRequests",
}
_ELSEWHERE = {
    "301",
    "302",
    "307",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
    "TemporaryRedirect",
}
_LITTLE, _ROOMY = 256 << 20, 4 << 30
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or AWS_PROFILE) to a user that may read and write it"
_NO_S3 = "check that storage.endpoint is an S3 server, and that no proxy answers in its place (HTTP_PROXY, NO_PROXY)"


def code_of(error: BaseException) -> str:
    """The S3 error code, such as ``PreconditionFailed``; empty for other errors."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_passing(error: BaseException) -> bool:
    """Whether another try may succeed: no answer, or a server that has trouble of its own."""
    code = code_of(error)
    return code in _BUSY or code in ("500", "InternalError") or isinstance(error, ConnectionError | HTTPClientError)


class Explainer:
    """Context manager that turns what botocore raises into the errors of `storage.errors`.

    Args:
        where: bucket and endpoint, for the message.
        subject: the object that is asked for, or `THE_BUCKET`.
        disk: folder of the server's data where it is ours.
    """

    def __init__(self, where: str, subject: str, disk: Path | None = None) -> None:
        self.where, self.subject, self.disk = where, subject, disk

    def __enter__(self) -> Explainer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        explained = self._explained(error)
        if explained is not None:
            raise type(explained)(redact(" ".join(str(explained).split()))) from error

    def _explained(self, error: BaseException | None) -> StoreError | None:
        if isinstance(error, ClientError):
            return self._refusal(error)
        if isinstance(error, ConnectionError | HTTPClientError):
            return StoreUnreachable(f"{self.where} {network_cause(error)}")
        if isinstance(error, ResponseParserError):
            return StoreUnreachable(f"{self.where} answers with something that is no S3 answer: {_NO_S3}")
        if isinstance(error, ParamValidationError) and "bucket name" in str(error):
            return self._bad_name()
        if isinstance(error, EndpointResolutionError):
            return StoreUnreachable(f"{self.where}: storage.endpoint is not an address of an S3 server ({error})")
        if isinstance(error, BotoCoreError):
            if (why := no_credentials(error)) is not None:
                return AccessDenied(f"{why} for {self.where}: {_CREDENTIALS}")
            return StoreError(f"{self.where}, {self.subject}: {error}")
        if isinstance(error, OSError) and "certificate bundle" in str(error):
            return StoreUnreachable(f"{self.where}: {error}; correct AWS_CA_BUNDLE (or REQUESTS_CA_BUNDLE)")
        return None

    def _refusal(self, error: ClientError) -> StoreError:
        code = code_of(error)
        if code in ("PreconditionFailed", "412"):
            return AlreadyExists(f"{self.subject} exists already in {self.where}")
        if _is_page(error):
            return StoreUnreachable(f"{self.where} answers with a web page (HTTP {code}): {_NO_S3}")
        if code in ("NoSuchKey", "404") and self.subject != THE_BUCKET:
            return ObjectMissing(f"no object {self.subject!r} in {self.where}")
        if code in ("NoSuchBucket", "NoSuchKey", "404"):
            return StoreUnreachable(f"{self.where} does not exist: create the bucket, or correct storage.root")
        if code == "InvalidBucketName":
            return self._bad_name()
        return self._place_or_time(error, code) or self._trouble(error, code)

    def _place_or_time(self, error: ClientError, code: str) -> StoreError | None:
        """A request that is right in itself, but for another region or by a wrong clock."""
        region = bucket_region(error)
        if code in _ELSEWHERE or (code == "400" and region):
            place = f"is in region {region}" if region else "is in another region or at another endpoint"
            remedy = f"set storage.region (or --region, AWS_REGION) to {region or 'its own'}"
            return StoreUnreachable(f"{self.where} {place} ({code}): {remedy}, and check storage.endpoint")
        skewed = code == "RequestTimeTooSkewed"
        clocks = clock_difference(error)
        if skewed or (clocks and code in _DENIED):
            times = clocks or "this machine's clock and the server's are more than 15 minutes apart"
            return AccessDenied(f"{self.where}: {times} ({code}): set the clock right, S3 allows 15 minutes")
        return None

    def _trouble(self, error: ClientError, code: str) -> StoreError:
        """A refusal for what the request is, or a server that has trouble of its own."""
        if code in _EXPIRED:
            return AccessDenied(
                f"{self.where}: the credentials have expired or their token is not valid ({code}): sign in again "
                "(`aws sso login`), or renew AWS_SESSION_TOKEN together with the keys"
            )
        if code in _DENIED:
            return AccessDenied(f"{self.where} refuses these credentials ({code}): {_CREDENTIALS}")
        if code in _FULL:
            return StoreFull(f"{self.where} is full ({code}) at {self.subject}: make room; finished shards stay")
        if code in ("NotImplemented", "501"):
            return ConditionalWritesMissing(f"{self.where} does not know a header we need: {error}; use another store")
        if code in _BUSY:
            return StoreUnreachable(
                f"{self.where} is overloaded or under repair ({code} at {self.subject}, several times in a row): run "
                "again later, what is committed stays"
            )
        if code in ("InternalError", "500"):
            return self._inside(error)
        return StoreError(f"{self.where}, {self.subject}: {error}")

    def _bad_name(self) -> StoreError:
        return StoreUnreachable(
            f"{self.where}: that is no valid bucket name (3 to 63 lower-case letters, digits, dots and hyphens): "
            "correct storage.root"
        )

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


def _is_page(error: ClientError) -> bool:
    """Whether the refusal is a web page: no S3 error code, and HTML in its place."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return code_of(error).isdigit() and "html" in headers.get("content-type", "").lower()
