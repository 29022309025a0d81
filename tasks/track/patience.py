"""How long MLflow's HTTP client waits: its own settings are four minutes of silence for a server that is dead."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_TIMEOUT, _RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
_COMMON = {
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
WHILE_OPENING = {_TIMEOUT: "7", _RETRIES: "1", **_COMMON}
IN_A_RUN = {_TIMEOUT: "30", _RETRIES: "3", **_COMMON}
AT_THE_END = {_TIMEOUT: "2", _RETRIES: "0", **_COMMON}
"""Ctrl-C must not wait for a server that does not answer."""


@contextmanager
def patience(settings: Mapping[str, str], *, firm: bool = False) -> Iterator[None]:
    """MLflow's settings in the block, which it reads at every request; what is set already stays, unless `firm`."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: value for name, value in settings.items() if firm or name not in os.environ})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
