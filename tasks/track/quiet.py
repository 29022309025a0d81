"""Keep MLflow, its database tools and its HTTP client from writing to the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_TALKERS = ("mlflow", "alembic", "urllib3.connectionpool")


@contextmanager
def quiet() -> Iterator[None]:
    """Nothing below a critical error is logged in the block; the levels are put back after it."""
    loggers = [logging.getLogger(name) for name in _TALKERS]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
