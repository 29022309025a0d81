"""Lock files: held by one process at a time, and free again however their holder ended."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from storage.errors import ServiceError
from storage.process import Say, described, say_on_stderr


@contextmanager
def locked(path: Path, *, wait: float = 90, say: Say = say_on_stderr) -> Generator[None, None, None]:
    """Hold a lock file, which no two processes do at a time; it goes with its holder, however that ends.

    Args:
        path: the file; its folder is made.
        wait: seconds to wait for another holder.
        say: called after a second, and every 15 seconds, with a line on the process that is waited for.

    Raises:
        ServiceError: another process still holds it, or the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise ServiceError(f"{path}: {error.strerror}: its folder must be writable") from error
    with file:
        begun, due = time.monotonic(), 1.0
        while not _taken(file.fileno()):
            waited = time.monotonic() - begun
            if waited >= wait:
                raise ServiceError(
                    f"{path} is locked by {_holder(path)}: waited {waited:.0f} s; end it, and try again"
                )
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
    """Who holds a lock file, from the kernel's table of locks."""
    inode = str(path.stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode and int(words[4]) > 0:
            return described(int(words[4]))
    return "another process"
