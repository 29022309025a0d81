"""What a run starts besides services, so that a run that was killed leaves nothing behind for good.

While a run lasts, its children are recorded in ``sessions/`` of the state folder every few seconds; those that do not
change their environment carry its mark besides. `sweep` ends what outlived its run.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from storage.process import MARK, Identity, end, mark_of, mark_on, replace_file

_EVERY = 5.0
_PREFIX = "run-"


@contextmanager
def session(home: Path) -> Iterator[None]:
    """Mark and record what this process starts inside the block."""
    me = Identity.of(os.getpid())
    folder = home / "sessions"
    folder.mkdir(exist_ok=True)
    path = folder / f"{me.pid}-{me.created}.json"
    before = os.environ.get(MARK)
    os.environ[MARK] = mark_of(f"{_PREFIX}{me.pid}-{me.created}", home)
    done = threading.Event()
    threading.Thread(target=_record, args=(path, done), name="session", daemon=True).start()
    try:
        yield
    finally:
        done.set()
        path.unlink(missing_ok=True)
        if before is None:
            del os.environ[MARK]
        else:
            os.environ[MARK] = before


def sweep(home: Path) -> int:
    """End the children of runs of this state folder that were killed; how many there were."""
    left = {process.pid: process for process in _marked_orphans(home)}
    for path in sorted((home / "sessions").glob("*.json")):
        if _owner(path.stem).live():
            continue
        for child in _recorded(path):
            if process := child.live():
                family = [process, *process.children(recursive=True)]
                left |= {member.pid: member for member in family if not service(member)}
        path.unlink(missing_ok=True)
    end(left.values(), 2)
    return len(left)


def service(process: psutil.Process) -> bool:
    """Whether a process is one of the services, which have their own way to end."""
    mark = mark_on(process)
    return bool(mark) and not mark.startswith(_PREFIX)


def _record(path: Path, done: threading.Event) -> None:
    known: list[Identity] | None = None
    while True:
        now = [Identity(child.pid, child.create_time()) for child in _children()]
        if now != known:
            known = now
            replace_file(path, json.dumps([[child.pid, child.created] for child in now]))
        if done.wait(_EVERY):
            path.unlink(missing_ok=True)
            return


def _children() -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):  # one that ends in between is missing in the next round
        return [child for child in psutil.Process().children(recursive=True) if not service(child)]
    return []


def _recorded(path: Path) -> list[Identity]:
    try:
        return [Identity(pid, created) for pid, created in json.loads(path.read_text())]
    except (FileNotFoundError, ValueError, TypeError):  # cut short, or foreign: the marks remain
        return []


def _owner(text: str) -> Identity:
    pid, _, created = text.partition("-")
    try:
        return Identity(int(pid), float(created))
    except ValueError:
        return Identity(-1, 0.0)


def _marked_orphans(home: Path) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        name, _, place = mark_on(process).partition("@")
        if name.startswith(_PREFIX) and place == str(home) and not _owner(name.removeprefix(_PREFIX)).live():
            yield process
