"""What `tracking.uri` may be, and whether it can be used, found out in seconds."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from storage.addresses import redact
from tasks.track.causes import cause_of
from tasks.track.database import ensure_database
from tasks.track.errors import TrackingError

_DATABASES = {"postgresql": 5432, "postgres": 5432, "mysql": 3306, "mssql": 1433}
_PASSED_ON = ("http", "https", "databricks", "databricks-uc", "uc")
_PATIENCE = 5.0  # seconds for a database server to take a connection
_REMEDY = "give managed, http(s)://HOST:PORT, sqlite:////PATH/mlflow.db or a database's address"


def check_address(uri: str) -> None:
    """Whether `uri` can be an address of MLflow's; nothing is opened.

    Raises:
        TrackingError: a folder of files, which MLflow no longer writes, or no address at all.
    """
    kind = _kind(uri)
    if kind in ("", "file"):
        if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
            raise TrackingError(
                f"tracking.uri: {redact(uri)!r} is a folder, in which MLflow no longer keeps runs; {_REMEDY} (`mlflow "
                "migrate-filestore` moves old runs)"
            )
        return
    if kind == "sqlite":
        _file_of(uri)
    elif kind not in (*_PASSED_ON, *_DATABASES):
        raise TrackingError(f"tracking.uri: {redact(uri)!r} is no address that MLflow knows; {_REMEDY}")
    elif kind not in ("databricks", "databricks-uc", "uc") and not _host(uri):
        raise TrackingError(f"tracking.uri: {redact(uri)!r} names no host; {_REMEDY}")


def prepare(uri: str, say: Callable[[str], None]) -> None:
    """Make the database at `uri` usable where it is a file, and try to reach it where it is a server.

    Raises:
        TrackingError: see `check_address` and `ensure_database`; or the database server does not answer.
    """
    check_address(uri)
    kind = _kind(uri)
    if kind == "sqlite" and (path := _file_of(uri)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        ensure_database(path, say, ours=False)
    elif kind in _DATABASES:
        _connect(uri, _DATABASES[kind])


def _connect(uri: str, port: int) -> None:
    """One try each at the port and at the database: MLflow makes ten of the latter, over more than a minute."""
    import sqlalchemy

    try:
        socket.create_connection((_host(uri), urlsplit(uri).port or port), _PATIENCE).close()
        engine = sqlalchemy.create_engine(uri)
        try:
            engine.connect().close()
        finally:
            engine.dispose()
    except ModuleNotFoundError as error:
        raise TrackingError(
            f"tracking.uri: {redact(uri)!r} needs the Python package {error.name}: install it"
        ) from error
    except Exception as error:  # every database's driver has errors of its own
        why = str(error).strip().partition("\n")[0] if not isinstance(error, OSError) else cause_of(error)
        raise TrackingError(f"tracking.uri: {redact(uri)!r} cannot be reached ({redact(why)}): check it") from error


def _kind(uri: str) -> str:
    """The scheme without a driver's name; empty for a path."""
    kind = uri.partition(":")[0].partition("+")[0].lower()
    return kind if kind in _PASSED_ON or (":" in uri and not uri.startswith(("/", "."))) else ""


def _host(uri: str) -> str | None:
    try:
        return urlsplit(uri).hostname
    except ValueError:
        return None


def _file_of(uri: str) -> Path | None:
    """The file of a SQLite address; None for a database in memory.

    Raises:
        TrackingError: too few slashes, which would name a host.
    """
    from sqlalchemy import make_url

    url = make_url(uri)
    if url.host:
        raise TrackingError(f"tracking.uri: {redact(uri)!r} names no file; write sqlite:////ABSOLUTE/PATH/mlflow.db")
    file = url.database
    return None if not file or file == ":memory:" or file.startswith("file:") else Path(file)
