"""Processes that outlive the command that started them, and how to end exactly those."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from pydantic import BaseModel, ConfigDict


class ServiceError(RuntimeError):
    """A service could not be started; the message names it, its log and the remedy."""


class Service(BaseModel):
    """One running process: pid and start time together name it, since pids are reused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    pid: int
    created: float
    url: str | None = None
    log: str

    def process(self) -> psutil.Process | None:
        """The live process, or None when it is gone or its pid belongs to another."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 0.01
        except psutil.NoSuchProcess:
            return None
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None


class Services(BaseModel):
    """What `synth serve` started, kept in ``services.json`` of the state folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    services: tuple[Service, ...] = ()

    @staticmethod
    def load(home: Path) -> Services:
        """The recorded services that still run."""
        path = home / "services.json"
        if not path.exists():
            return Services()
        recorded = Services.model_validate_json(path.read_text())
        return Services(services=tuple(service for service in recorded.services if service.process()))

    def save(self, home: Path) -> None:
        """Write ``services.json`` (atomically: a reader sees the old list or the new one)."""
        path = home / "services.json"
        draft = path.with_suffix(".tmp")
        draft.write_text(self.model_dump_json(indent=2))
        draft.replace(path)

    def get(self, name: str) -> Service | None:
        """The running service called `name`."""
        return next((service for service in self.services if service.name == name), None)

    def plus(self, service: Service) -> Services:
        """The same list with one more."""
        return Services(services=(*self.services, service))


def free_port(wanted: int | None = None) -> int:
    """A free port on loopback; `wanted` if given.

    Raises:
        ServiceError: the wanted port is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted or 0))
        except OSError as error:
            raise ServiceError(f"port {wanted} is taken: stop what uses it, or choose another port") from error
        return int(probe.getsockname()[1])


def spawn(name: str, argv: Sequence[str], env: Mapping[str, str], log: Path, url: str | None = None) -> Service:
    """Start a process in a session of its own, its output in `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(argv),
            env={**os.environ, **env},
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    return Service(
        name=name, pid=process.pid, created=psutil.Process(process.pid).create_time(), url=url, log=str(log)
    )


def wait_for(service: Service, url: str, seconds: float = 90) -> None:
    """Wait until `url` answers.

    Raises:
        ServiceError: the process ended, or did not answer in time; the message ends with its log's tail.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if service.process() is None:
            raise ServiceError(f"{service.name} ended while it started:\n{_tail(service)}")
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.3)
    raise ServiceError(f"{service.name} did not answer at {url} within {seconds:.0f} s:\n{_tail(service)}")


def end(service: Service, seconds: float = 15) -> None:
    """End a service and its children: first asked, then killed."""
    process = service.process()
    if process is None:
        return
    family = [process, *process.children(recursive=True)]
    for member in family:
        _send(member, signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=seconds)
    for member in alive:
        _send(member, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=seconds)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended by itself


def _tail(service: Service, lines: int = 20) -> str:
    text = Path(service.log).read_text(errors="replace").splitlines()[-lines:]
    return "\n".join([f"last lines of {service.log}:", *text])
