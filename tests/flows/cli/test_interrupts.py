"""One Ctrl-C ends a command within seconds, with one line and exit code 130, whatever it does; a second at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows.cli.interrupts import SAID, STOPPED
from storage.process import MARK, mark_on

SYNTH = str(Path(sys.executable).with_name("synth"))
FAST = str(Path(__file__).parents[2] / "profiles" / "fast.yaml")
BEGIN = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
"""A test that itself runs in the background has children that ignore Ctrl-C, unless they are told otherwise."""
RAN = 30.0  # seconds on a machine that does many things at once; `test_a_run_ends_...` is the one that is measured

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start Python code as a terminal starts a command: Ctrl-C reaches its whole process group."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *args: str) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        env = {**os.environ, "SYNTHCXR_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-c", f"{BEGIN}\n{code}", *args]
        started.append(subprocess.Popen(command, env=env, start_new_session=True, **pipes))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def interrupted(
    process: subprocess.Popen[str], number: int = signal.SIGINT, times: int = 1
) -> tuple[list[str], float]:
    """Wait for ``begun``, send the signal to the whole group, and return the lines after it and the seconds."""
    assert process.stdout is not None
    while (line := process.stdout.readline()) != "begun\n":
        assert line, "it ended before it began"
    begun = time.monotonic()
    for _ in range(times):
        os.killpg(process.pid, number)
        time.sleep(0.5 if times > 1 else 0)
    said, _ = process.communicate(timeout=RAN)
    return said.splitlines(), time.monotonic() - begun


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_that_ends_is_one_line_and_exit_code_130(start: Start, number: int) -> None:
    process = start(_command("time.sleep(60)"))
    said, _ = interrupted(process, number)
    assert said == [SAID]
    assert process.returncode == STOPPED


def test_what_a_block_says_itself_is_the_line(start: Start) -> None:
    work = "\n    try: print('begun', flush=True); time.sleep(60)"
    work += "\n    except KeyboardInterrupt: raise KeyboardInterrupt('half is done')"
    assert interrupted(start(_command(work, begun=False)))[0] == ["half is done"]


@pytest.mark.parametrize(
    "work",
    [
        "\n    while True:\n        try: time.sleep(60)\n        except KeyboardInterrupt: pass",
        "ctypes.CDLL(None).sleep(60)",
        "\n    try: time.sleep(60)\n    finally: time.sleep(60)",
        "threading.Thread(target=time.sleep, args=(60,)).start(); time.sleep(60)",
    ],
    ids=["swallowed", "native code", "slow to close", "a thread goes on"],
)
def test_it_ends_though_the_work_does_not_give_way(start: Start, work: str) -> None:
    process = start(_command(work))
    said, seconds = interrupted(process)
    assert said == [SAID]
    assert process.returncode == STOPPED
    assert seconds < RAN


def test_a_second_one_ends_at_once(start: Start) -> None:
    process = start(_command("\n    try: time.sleep(60)\n    finally: time.sleep(60)", grace=1000))
    said, _ = interrupted(process, times=2)
    assert said == [SAID]
    assert process.returncode == STOPPED


def test_children_end_with_it_and_libraries_say_nothing(start: Start) -> None:
    child = "[sys.executable, '-c', 'import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(60)']"
    work = f"child = subprocess.Popen({child}); print(child.pid); print('begun', flush=True); logged()"
    process = start(_command(work, begun=False))
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert interrupted(process)[0] == [SAID]
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_signal_that_is_ignored_stays_ignored(start: Start) -> None:
    code = _command("time.sleep(0.5); print('whole')")
    process = start(f"signal.signal(signal.SIGINT, signal.SIG_IGN)\n{code}")
    assert interrupted(process)[0] == ["whole"]
    assert process.returncode == 0


def test_the_handlers_of_before_come_back() -> None:
    from flows.cli.interrupts import interruptible

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with interruptible():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.server
@pytest.mark.parametrize(
    "until", ["waiting for nothing", "shards: 1/3"], ids=["while it starts", "while it makes shards"]
)
def test_a_run_ends_and_leaves_nothing_running(tmp_path: Path, start: Start, until: str) -> None:
    process = start(f"import os; os.execv({SYNTH!r}, [{SYNTH!r}, *sys.argv[1:]])", "generate", "-p", FAST)
    assert process.stdout is not None
    home = tmp_path / "home"
    if until.startswith("shards"):
        while until not in (line := process.stdout.readline()):
            assert line, "it ended before its first shard"
    else:
        while not list(home.glob("prefect-run/services.json")):
            time.sleep(0.02)
    begun = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=RAN)
    seconds = time.monotonic() - begun
    assert said.splitlines()[-1] == SAID
    assert not [line for line in said.splitlines()[:-1] if not line.startswith(("shard", "waiting"))]
    assert process.returncode == STOPPED
    assert seconds < (5 if os.getloadavg()[0] < (os.cpu_count() or 1) else RAN)
    left = [one for one in psutil.process_iter() if str(home) in mark_on(one)]
    assert left == [], MARK


def _command(work: str, grace: float = 3.0, begun: bool = True) -> str:
    """A command that says that it has begun and then works."""
    return f"""
import ctypes, logging, subprocess, threading, time
from flows.cli import interrupts
interrupts.GRACE = {grace}
def logged():
    try: time.sleep(60)
    finally: logging.getLogger("x").error("Crash detected!")
with interrupts.interruptible():
    {'print("begun", flush=True)' if begun else ""}
    {work}
"""
