"""Lock files name who holds them, and are free once their holder has ended."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from storage.errors import ServiceError
from storage.locks import locked

HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_who_holds_a_lock_is_named_while_it_is_waited_for_and_when_it_takes_too_long(tmp_path: Path) -> None:
    with _Held(tmp_path / "lock", 60) as holder:
        said: list[str] = []
        begun = time.monotonic()
        with (
            pytest.raises(ServiceError, match=rf"lock is locked by process {holder} .*end it, and try again"),
            locked(tmp_path / "lock", wait=1.5, say=said.append),
        ):
            pass
        assert time.monotonic() - begun < 5
        assert len(said) == 1
        assert f"waiting for process {holder} " in said[0]


def test_a_lock_that_is_let_go_is_taken(tmp_path: Path) -> None:
    with _Held(tmp_path / "lock", 0.3), locked(tmp_path / "lock", wait=20):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with _Held(tmp_path / "lock", 60) as holder:
        psutil.Process(holder).kill()
        with locked(tmp_path / "lock", wait=10):
            pass


def test_a_lock_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=r"^.*file/lock: .*$"), locked(tmp_path / "file" / "lock"):
        pass


class _Held:
    """A lock file that another process holds for so many seconds; its pid."""

    def __init__(self, path: Path, seconds: float) -> None:
        self.command = [sys.executable, "-c", HOLDER, str(path), str(seconds)]

    def __enter__(self) -> int:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"
        return self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
