"""Who uses a shared service: it runs until the last process that uses it has left, however that process ended.

Each use is a file in ``leases/`` of the service's folder. It counts while the process that it names is alive, so a
killed one keeps nothing up. Take and leave leases under the service's lock.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from storage.locks import locked
from storage.process import Identity, Say, described, say_on_stderr

T = TypeVar("T")
End = Callable[[float], object]


@dataclass(eq=False, slots=True)
class Lease:
    """One use of a service by this process.

    Args:
        path: its file.
        end: ends the service within so many seconds, unless it is to stay.
        ends: whether the service is ended when this lease is the last that is left; readers leave it running.
    """

    path: Path
    end: End
    ends: bool = True


_HELD: list[Lease] = []


def take(folder: Path, end: End) -> Lease:
    """Record that this process uses the service of `folder`."""
    leases = folder / "leases"
    leases.mkdir(parents=True, exist_ok=True)
    lease = Lease(leases / f"{os.getpid()}-{secrets.token_hex(4)}.json", end)
    _HELD.append(lease)
    lease.path.write_text(json.dumps(asdict(Identity.of(os.getpid()))))
    return lease


def leave(lease: Lease, seconds: float) -> None:
    """Give a lease back; the last one ends the service, which may take so many seconds."""
    if lease not in _HELD:
        return
    lease.path.unlink(missing_ok=True)
    if lease.ends and not holders(lease.path.parents[1]):
        lease.end(seconds)
    with suppress(ValueError):  # `abandon` was quicker, while this waited
        _HELD.remove(lease)


@contextmanager
def shared(
    folder: Path, begin: Callable[[Lease], T], end: End, *, seconds: float, say: Say = say_on_stderr
) -> Generator[T, None, None]:
    """What `begin` finds running or starts, for as long as the block lasts; the last that leaves ends it.

    Args:
        folder: the service's; its lock and leases are there.
        begin: called with the lease, under the lock.
        end: see `Lease`.
        seconds: how long the service may take to end; 1 where a person waits.
        say: called with a line on the process that is waited for.
    """
    with locked(folder / "lock", say=say):
        lease = take(folder, end)
        try:
            service = begin(lease)
        except BaseException:
            leave(lease, 1)
            raise
    try:
        yield service
    except KeyboardInterrupt:
        seconds = 1
        raise
    finally:
        with locked(folder / "lock", say=say):
            leave(lease, seconds)


def abandon() -> None:
    """Give back all leases of this process at once, waiting for no lock: for a process that is about to end."""
    for lease in tuple(_HELD):
        leave(lease, 0)


def holders(folder: Path) -> list[Identity]:
    """The live processes that use the service of `folder`; records of dead ones are removed."""
    found: list[Identity] = []
    for path in sorted((folder / "leases").glob("*.json")):
        try:
            holder = Identity(**json.loads(path.read_text()))
        except FileNotFoundError:  # it left in between
            continue
        except (ValueError, TypeError):  # cut short when its process was killed: its name holds the pid
            pid = path.name.partition("-")[0]
            holder = _by_pid(int(pid)) if pid.isdecimal() else None
        if holder is not None and holder.live():
            found.append(holder)
        else:
            path.unlink(missing_ok=True)
    return found


def users(folder: Path) -> str:
    """The processes that use a service, in words."""
    return ", ".join(dict.fromkeys(described(holder.pid) for holder in holders(folder)))


def _by_pid(pid: int) -> Identity | None:
    try:
        return Identity.of(pid)
    except psutil.Error:
        return None
