"""How a command fails: one line on the terminal, and the trace in a log file that the line names."""

from __future__ import annotations

import dis
import errno
import logging
import os
import re
import sys
import traceback
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import typer

from flows.services.home import state_folder
from flows.terminal import one_line, plain, survive_encodings
from storage.addresses import redact

MENDED, FAULT = 2, 1
"""Exit codes: for what the user can mend, and for a fault of this program. An error may have a code of its own."""
KEPT = 20
"""Log files that are kept; older ones are removed."""

_OURS = ("flows", "tasks", "models", "storage")
_NETWORK = ("botocore", "httpcore", "httpx", "huggingface_hub", "requests", "urllib3")
_REMEDIES = {
    errno.EACCES: "give this user access, or choose another place",
    errno.EPERM: "give this user access, or choose another place",
    errno.EROFS: "choose a place that can be written",
    errno.ENOSPC: "make room, or choose another place",
    errno.EISDIR: "a file is needed there",
    errno.ENOTDIR: "a part of the path is a file: choose another path",
    errno.EEXIST: "choose another path",
    errno.ENOENT: "check the path",
    errno.ELOOP: "the links lead in a circle: check the path",
    errno.ENAMETOOLONG: "choose a shorter path",
}
_SAID: deque[str] = deque(maxlen=500)


class _Command:
    """The command line that is being run, and whether traces are to be shown."""

    words: tuple[str, ...] = ()
    debug = False


def run(words: list[str], command: Callable[[], Any]) -> int:
    """Run a command line, print in one line what ends it, and return the exit code.

    Args:
        words: the arguments, for the log.
        command: raises what typer raises, or returns an exit code or None.
    """
    _Command.words, _Command.debug = tuple(words), os.environ.get("SYNTHCXR_DEBUG", "") not in ("", "0")
    _SAID.clear()
    survive_encodings()
    try:
        code = command()
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except typer.TyperException as error:
        return _misused(error)
    except typer.Abort:
        return FAULT
    except BrokenPipeError:
        _let_go_of_output()
        return FAULT
    except Exception as error:
        return report(error)
    return code if isinstance(code, int) else 0


def show_traces() -> None:
    """Show traces on the terminal, too, until the command ends."""
    _Command.debug = True


def report(error: Exception) -> int:
    """Say what went wrong in one line on the terminal, and write its trace to a log file; the exit code."""
    mendable = is_mendable(error)
    trace = redact("".join(traceback.format_exception(error)))
    if _Command.debug:
        typer.echo(plain(trace), err=True)
    log = _write_log(trace)
    if mendable:
        where = f" (trace: {log})" if log else ""
        text = f"{one_line(redact(_message(error)))}{where}"
    else:
        where = f" with {log}" if log else ""
        text = f"unexpected {one_line(redact(f'{type(error).__name__}: {error}'), 500)}; please report this{where}"
    with suppress(OSError, ValueError):  # a closed terminal: the exit code remains
        typer.echo(f"error: {text}", err=True)
    return getattr(error, "exit_code", MENDED) if mendable else FAULT


def is_mendable(error: BaseException) -> bool:
    """Whether an error is the user's to mend: it is named as such, or comes from files, memory or a network.

    So is a ValueError that our own code raises by a ``raise`` statement: its message is written for people. One that
    a library or an operation raises is a fault of this program.
    """
    if isinstance(error, OSError | MemoryError):
        return True
    package = type(error).__module__.partition(".")[0]
    if package in _NETWORK:
        return True
    if package in _OURS:
        from flows.cli.errors import MENDABLE  # loads what can raise them, which is much

        if isinstance(error, MENDABLE):
            return True
    return isinstance(error, ValueError) and _raised_by_us(error.__traceback__)


def keep_off_terminal() -> None:
    """Send what Prefect and failing libraries log with a trace to the log file of a failure, not to the terminal.

    Call it when Prefect has set up its logging, which it does on import. Its API still receives every record.
    """
    if _Command.debug:
        return
    known = [logging.getLogger(name) for name in logging.root.manager.loggerDict]
    handlers = {handler for logger in (logging.root, *known) for handler in logger.handlers}
    consoles = {handler for handler in handlers if type(handler).__name__ == "PrefectConsoleHandler"}
    for handler in consoles | set(logging.getLogger("mlflow").handlers):
        if _shown not in handler.filters:
            handler.addFilter(_shown)


def _shown(record: logging.LogRecord) -> bool:
    quiet = record.name.startswith("mlflow") and record.levelno < logging.WARNING
    ours = not record.name.startswith("prefect") and record.exc_info is None and not quiet
    if not ours:
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
        _SAID.append(f"{record.levelname} {record.name}: {record.getMessage()}\n{trace}".rstrip())
    return ours


def _misused(error: typer.TyperException) -> int:
    """A command line that does not fit; typer's own help where nothing was asked for."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message(), err=True)
        return error.exit_code
    hint = f" (`{context.command_path} --help` explains it)" if context is not None else ""
    typer.echo(f"error: {one_line(error.format_message())}{hint}", err=True)
    return error.exit_code


def _message(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"the memory does not suffice{f' ({error})' if str(error) else ''}: make the input or the batch smaller"
    if not isinstance(error, OSError) or error.errno is None or not error.strerror:
        return str(error) or type(error).__name__
    remedy = f"; {_REMEDIES[error.errno]}" if error.errno in _REMEDIES else ""
    place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    return f"{place}{error.strerror}{remedy}"


def _raised_by_us(trace: TracebackType | None) -> bool:
    """Whether the innermost frame is ours, and at a ``raise`` statement."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code
    module = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
    return module in _OURS and dis.opname[code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"


def _write_log(trace: str) -> Path | None:
    """Write the trace and what was logged before it; None where the state folder cannot be written."""
    folder = state_folder() / "logs" / "commands"
    named = [word for word in _Command.words if re.fullmatch(r"[a-z]+", word)][:2]
    path = folder / f"{datetime.now():%Y%m%d-%H%M%S}-{'-'.join(named) or 'synth'}-{os.getpid()}.log"
    text = "\n".join([f"synth {' '.join(_Command.words)}", *_SAID, trace])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(redact(text))
        for old in sorted(folder.glob("*.log"))[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return path


def _let_go_of_output() -> None:
    """Nobody reads on: let Python end without trying to write the rest."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
