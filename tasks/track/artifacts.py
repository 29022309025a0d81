"""Artifacts of runs whose place is in our own store's bucket.

MLflow's own client would look for endpoint, region and credentials in the environment, which may name another
service: files, and the keys that sign them, would go there.
"""

from __future__ import annotations

import mimetypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from storage.s3 import S3Store


def store_of(artifact_uri: str, store: ObjectStore | None) -> S3Store | None:
    """`store` at the place `artifact_uri`; None where that is not in its bucket, or said to be at another server."""
    if store is None or not store.root.startswith("s3://"):
        return None
    from storage.s3 import S3Store

    if not isinstance(store, S3Store) or not artifact_uri.startswith(f"s3://{store.bucket}/"):
        return None
    elsewhere = os.environ.get("MLFLOW_S3_ENDPOINT_URL")
    if elsewhere and not store.connection.closed and elsewhere != store.connection.address:
        return None
    return store.at(artifact_uri.removeprefix(f"s3://{store.bucket}/"))


def put_in_store(files: S3Store, data: bytes, file: str) -> None:
    """Write an artifact; MLflow's pages show it by its type."""
    files.put(file, data, create_only=False, content_type=mimetypes.guess_type(file)[0])
