"""Ctrl-C, SIGTERM and SIGHUP: the first ends a command within seconds, a second one at once.

The first is a KeyboardInterrupt in the main thread, so that every block closes what it opened. A thread waits beside
it: what is not closed after `GRACE` seconds, or when a second signal comes, is ended without being asked. What is
said is one line, and the exit code is 130.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

import psutil

from storage import leases
from storage.process import end, mark_on

GRACE = 3.0
STOPPED = 130
SAID = "stopped; what is committed stays, and the same command goes on from there"
_CURSOR = "\r\x1b[?25h"  # shown again: a progress bar hides it
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_BOUNCE = 0.3  # seconds within which a second signal is the first one again, as when a terminal closes


class _State:
    """What the handler, the thread and the block share."""

    received = False
    said = threading.Lock()


@contextmanager
def interruptible() -> Iterator[None]:
    """Run a command so that signals end it as described above; a signal that is ignored stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _State.received, _State.said = False, threading.Lock()
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    wakeup = signal.set_wakeup_fd(writes, warn_on_full_buffer=False)
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    threading.Thread(target=_watch, args=(reads,), name="interrupts", daemon=True).start()
    try:
        yield
    except KeyboardInterrupt as stopped:
        _leave(str(stopped) or SAID)
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(writes)  # ends the thread


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The handler: one KeyboardInterrupt, however many signals come."""
    del number, frame
    if not _State.received:
        _State.received = True
        _hush()
        raise KeyboardInterrupt


def _watch(reads: int) -> None:
    """Follow the signals by the bytes that they write, which come even while the main thread is in native code."""
    first = begun = 0.0
    while True:
        left = max(0.0, begun + GRACE - time.monotonic()) if first else None
        ready, _, _ = select.select([reads], [], [], left)
        if not ready:
            _end_now()
        data = os.read(reads, 1)
        if not data:  # the command is done
            os.close(reads)
            return
        if data[0] not in _SIGNALS:
            continue
        if not first:
            first, begun = data[0], time.monotonic()
            _hush()
        elif time.monotonic() - begun > _BOUNCE and not data[0] == first == signal.SIGTERM:  # Prefect repeats SIGTERM
            _end_now()


def _leave(text: str) -> NoReturn:
    """Say how to go on, and end; after a signal without what libraries do when Python ends, which may take minutes."""
    if _State.said.acquire(blocking=False):
        print(text, file=sys.stderr, flush=True)
    if _State.received:
        _end_children()
        _exit()
    sys.exit(STOPPED)


def _end_now() -> NoReturn:
    """End from outside the main thread, which may hold any lock: the line goes to the file descriptor itself."""
    try:
        if _State.said.acquire(blocking=False):
            os.write(2, f"{_CURSOR if os.isatty(2) else ''}{SAID}\n".encode())
        _end_children()
        leases.abandon()
    finally:
        _exit()


def _exit() -> NoReturn:
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(STOPPED)


def _end_children() -> None:
    """End what this process started, but for services, which are ended by whoever leaves them last."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process().children(recursive=True)
        end([child for child in children if "@" not in mark_on(child) or mark_on(child).startswith("run-")], 0)


def _hush() -> None:
    """Silence what libraries print when they are interrupted; the interruption is the user's own."""
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda _: None
    threading.excepthook = lambda _: None
