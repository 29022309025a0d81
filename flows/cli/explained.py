"""Errors as people read them on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from flows.cli.failure import report


@contextmanager
def explained() -> Iterator[None]:
    """An error is one line, its trace goes to a log file that the line names.

    The exit code is 2 for what the user can mend, 1 for a fault of this program.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
        raise
    except Exception as error:
        raise typer.Exit(report(error)) from None
