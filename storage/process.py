"""Processes that outlive the command that started them: how they are started, found again and ended.

A process is known by its pid and its start time, since pids are reused. One that was started here also carries a mark
in its environment, ``NAME@FOLDER``, and leads a session of its own: so it and its children are found even where the
record of it was lost or the process itself was killed.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import psutil
from pydantic import BaseModel, ConfigDict

from storage.errors import ServiceError

MARK = "SYNTHCXR_PROCESS"
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""For a Python child and its own children: ``-m`` and ``-c`` import nothing from the current folder."""
Say = Callable[[str], None]
_KILLED = 60  # seconds a busy machine may take to bury a killed process
_SHOWN = 80  # characters of a command line in a message
_CHILDREN: list[subprocess.Popen[bytes]] = []  # kept, so that what is ended by us is reaped by us


class PortTaken(ServiceError):
    """A port belongs to another process."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process it is; `created` is in seconds since the epoch."""

    pid: int
    created: float

    def __post_init__(self) -> None:
        pid, created = cast("object", self.pid), cast("object", self.created)  # a file may hold anything
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


class Service(BaseModel):
    """A process that was started here for a state folder, as its record keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    pid: int
    created: float
    url: str | None = None
    log: str

    @property
    def identity(self) -> Identity:
        """Which process it is."""
        return Identity(self.pid, self.created)

    def process(self) -> psutil.Process | None:
        """The live process, or None when it is gone or its pid belongs to another."""
        return self.identity.live()

    def last_words(self) -> str:
        """The last line of its log before any Go stack trace, and where the rest is."""
        text = Path(self.log).read_text(errors="replace") if Path(self.log).exists() else ""
        lines = [line.strip() for line in text.partition("\ngoroutine ")[0].splitlines() if line.strip()]
        return f"{lines[-1] if lines else 'it said nothing'} (log: {self.log})"


def spawn(
    name: str,
    state: Path,
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    *,
    url: str | None = None,
    log: Path | None = None,
) -> Service:
    """Start a process in a session of its own, which no signal of a terminal reaches.

    A Python process imports nothing from the current folder, see `SAFE_PATH`.

    Args:
        name, state: its name and its state folder, both of which are in its mark.
        argv: command line.
        env: its whole environment; None takes this process's.
        url: where it will answer.
        log: file that its output is added to; None takes ``logs/NAME.log`` of the state folder.
    """
    log = log or state / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(argv),
            env={**(os.environ if env is None else env), **SAFE_PATH, MARK: mark_of(name, state)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _CHILDREN.append(process)
    who = Identity.of(process.pid)
    return Service(name=name, pid=who.pid, created=who.created, url=url, log=str(log))


def wait_until(
    service: Service, ready: Callable[[], str], seconds: float, *, where: str = "", say: Say = say_on_stderr
) -> None:
    """Wait until a process that was started is ready; `say` is called every 20 seconds.

    Args:
        service: the process.
        ready: empty where it is ready, else why not; asked again and again.
        seconds: how long to wait at most.
        where: its address, for messages.
        say: called with a line on the process that is waited for.

    Raises:
        ServiceError: it ended, or was not ready in time; the message holds the last line of its log.
    """
    begun, due, problem = time.monotonic(), 20.0, ""
    while (waited := time.monotonic() - begun) < seconds:
        if service.process() is None:
            raise ServiceError(f"{service.name} ended while it started: {service.last_words()}")
        if not (problem := ready()):
            return
        time.sleep(0.1)
        if waited >= due:
            say(f"waiting for {service.name} since {waited:.0f} s")
            due += 20
    at = f" at {where}" if where else ""
    raise ServiceError(
        f"{service.name} did not answer{at} within {seconds:.0f} s ({problem or 'it was not asked'}): "
        f"{service.last_words()}"
    )


def bind(held: ExitStack, wanted: int = 0) -> int:
    """A port on loopback that stays bound while `held` is open: `wanted` where it is free, else any other."""
    probe = held.enter_context(socket.socket())
    if wanted:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", wanted))
            return wanted
        probe = held.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    return int(probe.getsockname()[1])


def free_port(wanted: int | None = None) -> int:
    """A free port on loopback; `wanted` if given.

    Raises:
        PortTaken: the wanted port is taken.
    """
    with ExitStack() as held:
        port = bind(held, wanted or 0)
    if wanted is not None and port != wanted:
        raise PortTaken(port_taken(wanted))
    return port


def port_taken(port: int) -> str:
    """The message that a port is taken, by which process where that is known, with the remedy."""
    owner = ""
    with suppress(psutil.Error):
        taken = [one for one in psutil.net_connections("tcp") if getattr(one.laddr, "port", 0) == port]
        pids = [one.pid for one in taken if one.pid and one.status == psutil.CONN_LISTEN and one.pid != os.getpid()]
        owner = f" by {described(pids[0])}" if pids else ""
    return f"port {port} is taken{owner}: stop what uses it, or choose another port"


def replace_file(path: Path, text: str) -> None:
    """Write a file that only its owner reads; other readers see the old text or the new one, never a part."""
    draft = path.with_suffix(".tmp")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text)
    draft.replace(path)


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


def remains(state: Path, recorded: Mapping[str, Service | None]) -> list[psutil.Process]:
    """All that is left of services of a state folder, their children too.

    Args:
        state: the state folder.
        recorded: the services by name; None where the record is lost: their marks find them.
    """
    found: list[psutil.Process] = []
    for name, service in recorded.items():
        found += marked(mark_of(name, state))
        found += family(service.identity) if service else []
    for leader in tuple(found):
        with suppress(psutil.NoSuchProcess):
            found += leader.children(recursive=True)
    return [one for one in {one.pid: one for one in found}.values() if alive(one)]


def end_services(state: Path, recorded: Mapping[str, Service | None], seconds: float = 15) -> bool:
    """End services and their children together, see `remains` and `end`; True when there was anything to end."""
    found = left = remains(state, recorded)
    for _ in range(5):  # one that is just starting may have started another meanwhile
        end(left, seconds)
        if not (left := remains(state, recorded)):
            break
    return bool(found)


def described(pid: int) -> str:
    """A process in words: its number and its command."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return f"process {pid}"
    if len(words) > 1 and Path(words[0]).name.startswith("python"):
        words = words[1:]
    text = " ".join([Path(words[0]).name, *words[1:]]) if words else ""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text[:_SHOWN])
    return f"process {pid} ({shown})" if shown else f"process {pid}"


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
