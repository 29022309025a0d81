"""Processes that outlive the command that started them, and how to end exactly those."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from storage import process
from storage.process import Identity, Say, alive, described, family, launch, mark_of, marked, say_on_stderr

SERVED = ("prefect", "mlflow", "worker-cpu", "worker-gpu")
"""What `synth serve` starts besides the store, in this order."""


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
        return Identity(self.pid, self.created).live()


class Services(BaseModel):
    """What was started for a folder, kept in ``services.json`` of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    services: tuple[Service, ...] = ()

    @staticmethod
    def load(home: Path) -> Services:
        """The recorded services, dead ones too.

        Raises:
            ServiceError: the record is damaged while services of it run; without any it counts as empty.
        """
        path = home / "services.json"
        try:
            return Services.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return Services()
        except ValidationError:
            left = [name for name in SERVED if marked(mark_of(name, home))]
            if left:
                raise ServiceError(
                    f"{path} is cut short or foreign, while {', '.join(left)} run: `synth stop` ends them"
                ) from None
            return Services()

    def save(self, home: Path) -> None:
        """Write ``services.json`` (atomically: a reader sees the old list or the new one)."""
        path = home / "services.json"
        draft = path.with_suffix(".tmp")
        draft.write_text(self.model_dump_json(indent=2))
        draft.replace(path)

    def recorded(self, name: str) -> Service | None:
        """The service called `name`, alive or not."""
        return next((service for service in self.services if service.name == name), None)

    def get(self, name: str) -> Service | None:
        """The running service called `name`."""
        service = self.recorded(name)
        return service if service and service.process() else None

    def plus(self, service: Service) -> Services:
        """The same list with one more, in place of an earlier one of its name."""
        return Services(services=(*(other for other in self.services if other.name != service.name), service))


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
            owner = _owner(wanted or 0)
            raise ServiceError(
                f"port {wanted} is taken{f' by {owner}' if owner else ''}: stop what uses it, or choose another port"
            ) from error
        return int(probe.getsockname()[1])


def spawn(name: str, home: Path, argv: Sequence[str], env: Mapping[str, str], url: str | None = None) -> Service:
    """Start the service `name` of a state folder; its output goes to ``logs/`` there.

    Args:
        name, home: what it is and whose, which its mark says too.
        argv: command line.
        env: its whole environment.
        url: where it will answer.
    """
    log = home / "logs" / f"{name}.log"
    started = launch(mark_of(name, home), argv, log, env=env)
    who = Identity.of(started.pid)
    return Service(name=name, pid=who.pid, created=who.created, url=url, log=str(log))


def wait_for(service: Service, url: str, seconds: float = 300, *, say: Say = say_on_stderr) -> None:
    """Wait until `url` answers; `say` is told every 20 seconds.

    Raises:
        ServiceError: the process ended, or did not answer in time; the message holds the last line of its log.
    """
    begun, due = time.monotonic(), 20.0
    while (waited := time.monotonic() - begun) < seconds:
        if service.process() is None:
            raise ServiceError(f"{service.name} ended while it started: {_last_line(service)}")
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            time.sleep(0.1)
        if waited >= due:
            say(f"waiting for {service.name} since {waited:.0f} s")
            due += 20
    raise ServiceError(f"{service.name} did not answer at {url} within {seconds:.0f} s: {_last_line(service)}")


def processes(home: Path, names: Collection[str], services: Services) -> list[psutil.Process]:
    """All that is left of services: by their record, by their session, and by their mark where the record was lost."""
    found: list[psutil.Process] = []
    for name in names:
        found += marked(mark_of(name, home))
        if service := services.recorded(name):
            found += family(Identity(service.pid, service.created))
    for leader in tuple(found):
        with suppress(psutil.NoSuchProcess):
            found += leader.children(recursive=True)
    return [one for one in {one.pid: one for one in found}.values() if alive(one)]


def end(home: Path, names: Collection[str], services: Services, seconds: float = 15) -> bool:
    """End services and their children, together: asked first, then killed; True when there was anything to end."""
    found = left = processes(home, names, services)
    for _ in range(5):  # one that is just starting may have started another meanwhile
        process.end(left, seconds)
        if not (left := processes(home, names, services)):
            break
    return bool(found)


def _owner(port: int) -> str:
    """Who listens on a port of this machine; empty where that is not told."""
    try:
        taken = psutil.net_connections("tcp")
    except psutil.Error:
        return ""
    pids = [one.pid for one in taken if one.pid and one.status == psutil.CONN_LISTEN and _port(one.laddr) == port]
    return described(pids[0]) if pids and pids[0] != os.getpid() else ""


def _port(address: object) -> int:
    return getattr(address, "port", 0)


def _last_line(service: Service) -> str:
    lines = [line.strip() for line in Path(service.log).read_text(errors="replace").splitlines() if line.strip()]
    return f"{lines[-1] if lines else 'it said nothing'} (log: {service.log})"
