"""MLflow's errors in one short line, without passwords."""

from __future__ import annotations

import re

from storage.addresses import redact
from storage.errors import StoreError

_MOST = 300
_SILENT = (
    "timeout exception",
    "Max retries exceeded",
    "Connection aborted",
    "Connection refused",
    "NewConnectionError",
)
_REFUSED = re.compile(r"code (401|403)\b|PERMISSION_DENIED|UNAUTHENTICATED")
_FAILING = re.compile(r"too many (5\d\d|429) error responses")
_FOREIGN = re.compile(r"<html|<!doctype|code (404|405|301|302)\b|Invalid url|valid JSON format", re.IGNORECASE)
_RACE = re.compile(r"UNIQUE constraint failed|duplicate key value|Duplicate entry", re.IGNORECASE)
_STATEMENT = re.compile(r" \[SQL: .*")


def is_race(error: BaseException) -> bool:
    """Whether another run has written the very row in between: to try again then finds it."""
    return _RACE.search(str(error)) is not None


def cause_of(error: BaseException) -> str:
    """Why MLflow, its server or its artifact store failed."""
    text = " ".join(str(error).split())
    if isinstance(error, StoreError):
        return redact(text)
    if "CERTIFICATE_VERIFY_FAILED" in text or "SSLError" in text:
        return "its server's certificate is not trusted: set MLFLOW_TRACKING_SERVER_CERT_PATH, or correct tracking.uri"
    if "NameResolutionError" in text or "Name or service not known" in text:
        return "its server's host name is not known: check tracking.uri and the network"
    if (failing := _FAILING.search(text)) is not None:
        return f"its server answers {failing[1]} again and again: see its log, or try later"
    if any(sign in text for sign in _SILENT):
        return "its server does not answer: check tracking.uri, the network, and that the server runs"
    if _REFUSED.search(text):
        return (
            "its server refuses: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD (or MLFLOW_TRACKING_TOKEN)"
        )
    if "database is locked" in text:
        return "its database is locked by another program: close that program"
    if _FOREIGN.search(text):
        return "what answers is no MLflow server: check tracking.uri"
    shown = redact(_STATEMENT.sub("", text)) or type(error).__name__
    return shown if len(shown) <= _MOST else shown[: _MOST - 1] + "…"
