"""Open the object store at an address."""

from __future__ import annotations

from pathlib import Path

from storage.objects import ObjectStore


def open_store(
    root: str,
    *,
    endpoint: str | None = None,
    region: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
) -> ObjectStore:
    """Open the store at `root`: ``s3://bucket/prefix``, or a local folder.

    Args:
        root: where the objects are.
        endpoint: address of an S3 service other than AWS; None takes ``AWS_ENDPOINT_URL_S3`` or AWS.
        region: S3 region; None takes ``AWS_REGION``, ``AWS_DEFAULT_REGION``, the profile's, or ``us-east-1``.
        access_key, secret_key: credentials; None takes what botocore finds (environment, profile, role).
    """
    scheme, separator, rest = root.partition("://")
    if not separator or scheme == "file":
        from storage.local import LocalStore

        return LocalStore(Path(rest if separator else root))
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"storage root {root!r} is neither s3://bucket/prefix nor a local folder")
    from storage.s3 import S3Store
    from storage.s3_session import Connection

    return S3Store(bucket, prefix, Connection(endpoint, region, access_key, secret_key))
