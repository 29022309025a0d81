"""Processes that outlive the command that started them: how they are started, found again and ended.

A process is known by its pid and its start time, since pids are reused. One that was started here also carries a mark
in its environment, ``NAME@FOLDER``, and leads a session of its own: so it and its children are found even where the
record of it was lost or the process itself was killed.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil

from storage.errors import ServerError

MARK = "SYNTHCXR_PROCESS"
Say = Callable[[str], None]
_KILLED = 60  # seconds a busy machine may take to bury a killed process
_SHOWN = 80  # characters of a command line in a message
_CHILDREN: list[subprocess.Popen[bytes]] = []  # kept, so that what is ended by us is reaped by us


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process it is; `created` is in seconds since the epoch."""

    pid: int
    created: float

    def __post_init__(self) -> None:
        pid, created = cast("object", self.pid), cast("object", self.created)  # a file may say anything
        if type(pid) is not int or not isinstance(created, (int, float)):
            raise TypeError(f"{self!r} names no process")

    @staticmethod
    def of(pid: int) -> Identity:
        """The identity of a live process."""
        return Identity(pid, psutil.Process(pid).create_time())

    def live(self) -> psutil.Process | None:
        """The process, or None when it is gone or its pid belongs to another."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 0.01
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (psutil.NoSuchProcess, ValueError, OverflowError):  # the latter two: no number that a pid can be
            return None


def say_on_stderr(text: str) -> None:
    """One line for a person who waits."""
    print(text, file=sys.stderr, flush=True)


def mark_of(name: str, state: Path) -> str:
    """The mark of the process `name` of a state folder."""
    return f"{name}@{Path(state).absolute()}"


def launch(
    mark: str, argv: Sequence[str], log: Path, *, env: Mapping[str, str] | None = None, append: bool = True
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, which no signal of a terminal reaches.

    Args:
        mark: see `mark_of`.
        argv: command line.
        log: file for its output.
        env: its whole environment; None takes this process's.
        append: keep what the log holds.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab" if append else "wb") as out:
        process = subprocess.Popen(
            list(argv),
            env={**(os.environ if env is None else env), MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _CHILDREN.append(process)
    return process


def mark_on(process: psutil.Process) -> str:
    """The mark in a process's environment; empty where there is none, or it may not be read."""
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""


def marked(mark: str) -> list[psutil.Process]:
    """Every live process that carries `mark`."""
    return [process for process in psutil.process_iter() if mark_on(process) == mark and alive(process)]


def family(identity: Identity) -> list[psutil.Process]:
    """A process that was started by `launch`, its children, and what is left of its session after it was killed."""
    found: dict[int, psutil.Process] = {}
    if leader := identity.live():
        with suppress(psutil.NoSuchProcess):
            found = {process.pid: process for process in (leader, *leader.children(recursive=True))}
    elif psutil.pid_exists(identity.pid):
        return []  # the number belongs to another process now, and so may its session
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == identity.pid and process.create_time() >= identity.created - 0.01:
                found[process.pid] = process
    return [process for process in found.values() if alive(process)]


def end(processes: Iterable[psutil.Process], seconds: float) -> None:
    """End processes together: asked first, killed after `seconds`, at once if that is 0."""
    left = list(processes)
    if seconds > 0:
        _send(left, signal.SIGTERM)
        left = _still_alive(left, seconds)
    _send(left, signal.SIGKILL)
    _still_alive(left, _KILLED)


def described(pid: int) -> str:
    """A process as people know it: its number and its command."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return f"process {pid}"
    if len(words) > 1 and Path(words[0]).name.startswith("python"):
        words = words[1:]
    text = " ".join([Path(words[0]).name, *words[1:]]) if words else ""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
    return f"process {pid} ({shown})" if shown else f"process {pid}"


@contextmanager
def locked(path: Path, *, wait: float = 90, say: Say = say_on_stderr) -> Generator[None, None, None]:
    """Hold a lock file, which no two processes do at a time; it goes with its holder, however that ends.

    Args:
        path: the file; its folder is made.
        wait: seconds to wait for another holder.
        say: told after a second, and every 15 seconds, who is waited for.

    Raises:
        ServerError: another process still holds it, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise ServerError(f"{path}: {error.strerror}: its folder must be writable") from error
    with file:
        begun, due = time.monotonic(), 1.0
        while not _taken(file.fileno()):
            waited = time.monotonic() - begun
            if waited >= wait:
                raise ServerError(f"{path} is locked by {_holder(path)}: waited {waited:.0f} s; end it, and try again")
            if waited >= due:
                say(f"waiting for {_holder(path)}, which holds {path}")
                due += 15
            time.sleep(0.1)
        yield


def _taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> str:
    """Who holds a lock file, as the kernel tells."""
    inode = str(path.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode and int(words[4]) > 0:
            return described(int(words[4]))
    return "another process"


def _send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            process.send_signal(number)


def _still_alive(processes: Iterable[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait for processes; a zombie has ended, though its parent may live and never ask for it."""
    deadline = time.monotonic() + seconds
    while (left := [process for process in processes if alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    for child in _CHILDREN:
        child.poll()
    return left


def alive(process: psutil.Process) -> bool:
    """Whether any of its threads still runs: the first may be a zombie while others still hold files."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.Error:
        return False
