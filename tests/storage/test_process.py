"""Processes are started in sessions of their own, known by pid, start time and mark, and ended exactly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from storage.errors import ServerError
from storage.process import Identity, alive, described, end, family, launch, locked, mark_of, marked

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(60)"]
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def test_a_process_leads_its_own_session_and_ends_with_its_children(tmp_path: Path) -> None:
    who = Identity.of(launch("parent@here", PARENT, tmp_path / "log").pid)
    assert os.getsid(who.pid) == who.pid
    found = _wait_for_family(who, 2)
    end(found, 5)
    assert family(who) == []
    assert not any(alive(one) for one in found)


@pytest.mark.parametrize("way", ["by its session", "by its mark"])
def test_the_child_of_a_killed_process_is_found(tmp_path: Path, way: str) -> None:
    mark = mark_of("parent", tmp_path)
    who = Identity.of(launch(mark, PARENT, tmp_path / "log").pid)
    child = next(one for one in _wait_for_family(who, 2) if one.pid != who.pid)
    psutil.Process(who.pid).kill()
    psutil.Process(who.pid).wait(10)
    left = family(who) if way == "by its session" else marked(mark)
    assert [one.pid for one in left] == [child.pid]
    end(left, 5)
    assert marked(mark) == []


def test_the_mark_of_another_folder_is_another_mark(tmp_path: Path) -> None:
    started = launch(mark_of("store", tmp_path / "a"), SLEEPER, tmp_path / "log")
    assert marked(mark_of("store", tmp_path / "b")) == []
    end(marked(mark_of("store", tmp_path / "a")), 5)
    assert not psutil.pid_exists(started.pid)


def test_a_reused_pid_is_another_process() -> None:
    me = Identity.of(os.getpid())
    assert me.live() is not None
    assert Identity(me.pid, me.created - 100).live() is None
    assert family(Identity(me.pid, me.created - 100)) == []


@pytest.mark.parametrize("pid", [-1, 2**70])
def test_a_pid_that_no_process_can_have_is_dead(pid: int) -> None:
    assert Identity(pid, 1.0).live() is None


def test_a_command_line_is_shown_without_control_characters() -> None:
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "\x1b[31mred"])
    try:
        deadline = time.monotonic() + 10
        while "red" not in described(started.pid) and time.monotonic() < deadline:
            time.sleep(0.01)  # until the new program is there
        assert described(started.pid) == f"process {started.pid} (-c import time; time.sleep(60) ?[31mred)"
    finally:
        started.kill()
        started.wait()


def test_who_holds_a_lock_is_named_while_it_is_waited_for_and_when_it_takes_too_long(tmp_path: Path) -> None:
    with _Held(tmp_path / "lock", 60) as holder:
        said: list[str] = []
        begun = time.monotonic()
        with (
            pytest.raises(ServerError, match=rf"lock is locked by process {holder} .*end it, and try again"),
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
    with pytest.raises(ServerError, match=r"^.*file/lock: .*$"), locked(tmp_path / "file" / "lock"):
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


def _wait_for_family(who: Identity, number: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 20
    while len(found := family(who)) < number and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == number
    return found
