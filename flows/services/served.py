"""A run's use of what `synth serve` started: it waits while that starts, and keeps `synth stop` from ending it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.services.processes import Services
from storage import leases
from storage.locks import locked
from storage.process import Identity, Say, say_on_stderr

_FOLDER = "served"
_WAIT = 900  # seconds; a busy machine may start two servers, deploy, and start two workers


@contextmanager
def served(home: Path, name: str, wanted: str | None = None, *, say: Say = say_on_stderr) -> Iterator[str | None]:
    """The address of a service that `synth serve` runs, which counts as used inside the block; None without it.

    Args:
        home: the state folder.
        name: of the service, such as ``mlflow``.
        wanted: an address that the user has set, which may be this service's own or that of another server.
        say: called with a line on the process that is waited for.

    Raises:
        ServiceError: a `synth serve` or `synth stop` that is at work does not come to its end.
    """
    lease, url = None, None
    with locked(lock_of(home), wait=_WAIT, say=say):
        service = Services.load(home).get(name)
        if service and service.url and (wanted is None or _below(wanted, service.url)):
            lease, url = leases.take(home / _FOLDER, lambda _: None), service.url
    try:
        yield url
    finally:
        if lease is not None:
            leases.leave(lease, 0)


def lock_of(home: Path) -> Path:
    """The lock that `synth serve` and `synth stop` hold while they work."""
    return home / "serve.lock"


def users(home: Path) -> list[Identity]:
    """The live processes that use a service that `synth serve` started."""
    return leases.holders(home / _FOLDER)


def _below(address: str, url: str) -> bool:
    return f"{address.replace('//localhost:', '//127.0.0.1:')}/".startswith(f"{url}/")
