"""Causes that botocore's errors hide: the network's, the clock's, the bucket's region, and missing credentials."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    LoginError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from urllib3.exceptions import NameResolutionError

ALLOWED_SKEW = 15 * 60
"""Seconds that S3 lets a client's clock be off."""
_NO_IDENTITY = (
    ConfigParseError,
    CredentialRetrievalError,
    LoginError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer failure", "wrong version number")


def network_cause(error: BotoCoreError) -> str:
    """Why there was no answer, and the remedy, as the end of a sentence about a bucket and its endpoint."""
    if isinstance(error, ProxyConnectionError):
        proxy = error.kwargs.get("proxy_url")
        return f"cannot be reached: the proxy {proxy} does not answer; correct HTTP(S)_PROXY, or name it in NO_PROXY"
    if isinstance(error, SSLError):
        return _tls_cause(error)
    if any(isinstance(cause, NameResolutionError | socket.gaierror) for cause in _causes(error)):
        return "cannot be found: no such host name; check storage.endpoint, storage.region and the network"
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return "does not answer in time: check storage.endpoint and the network, and that the server is well"
    if isinstance(error, ConnectionClosedError):
        return (
            "closes the connection without an answer: check that storage.endpoint is an S3 server, and whether it "
            "wants https:// instead of http://"
        )
    return (
        f"does not answer ({error}): check storage.endpoint, the network, and that the store runs (`synth serve` "
        "starts the managed one)"
    )


def no_credentials(error: BotoCoreError) -> str | None:
    """How the search for credentials ended; None where something else is wrong."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "no credentials"
    return f"no usable credentials ({error})" if isinstance(error, _NO_IDENTITY) else None


def bucket_region(error: ClientError) -> str | None:
    """The bucket's region in the server's answer."""
    metadata = error.response.get("ResponseMetadata", {})
    details: Any = error.response.get("Error", {})
    return metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region") or details.get("Region")


def clock_difference(error: ClientError) -> str | None:
    """Both times, where this machine's clock and the server's are further apart than S3 allows."""
    details: Any = error.response.get("Error", {})
    date: Any = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        theirs = (
            datetime.fromisoformat(details["ServerTime"]) if "ServerTime" in details else parsedate_to_datetime(date)
        )
    except (TypeError, ValueError):
        return None
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    ours = datetime.now(UTC)
    seconds = (ours - theirs).total_seconds()
    if abs(seconds) <= ALLOWED_SKEW:
        return None
    off = f"{abs(seconds) / 60:.0f} minutes {'ahead' if seconds > 0 else 'behind'}"
    return f"this machine's clock says {ours:%Y-%m-%d %H:%M} UTC, the server's {theirs:%Y-%m-%d %H:%M} UTC, {off}"


def _tls_cause(error: SSLError) -> str:
    reason = str(error.kwargs.get("error", error))
    if any(sign in reason for sign in _NO_TLS):
        return "speaks no TLS: write http:// in storage.endpoint, or the right port"
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        why = reason.partition("CERTIFICATE_VERIFY_FAILED]")[2].strip(" )'") or reason
        return f"shows a certificate that is not trusted ({why}): set AWS_CA_BUNDLE to its authority's certificate"
    return f"refuses the TLS connection ({reason}): check storage.endpoint and AWS_CA_BUNDLE"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what caused it, as far as it is known."""
    seen: list[BaseException] = []
    waiting: list[Any] = [error]
    while waiting:
        found = waiting.pop()
        if not isinstance(found, BaseException) or found in seen:
            continue
        seen.append(found)
        yield found
        waiting += [found.__cause__, found.__context__, getattr(found, "reason", None)]
        waiting.append(getattr(found, "kwargs", {}).get("error"))
