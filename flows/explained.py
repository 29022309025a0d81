"""Errors as people read them on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def explained() -> Iterator[None]:
    """An error that the user can mend is one message and exit code 2, without a traceback."""
    try:
        yield
    except Exception as error:
        from flows.errors import MENDABLE  # loads what can raise them, which is much

        if not isinstance(error, MENDABLE):
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
