"""What a killed process started is ended, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil

from tasks.engine.reaper import main, reaped

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DRIVER = """
import subprocess, sys, time, psutil
from tasks.engine.reaper import reaped
child = subprocess.Popen(sys.argv[1:], start_new_session=True)
with reaped([psutil.Process(child.pid)]):
    print(child.pid, flush=True)
    time.sleep(60)
"""


def ends(process: psutil.Process) -> bool:
    end = time.monotonic() + 10
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_children_of_a_killed_process_are_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", DRIVER, *SLEEP], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        child = psutil.Process(int(driver.stdout.readline()))
        os.kill(driver.pid, signal.SIGKILL)
    assert ends(child)


def test_what_is_left_at_the_end_is_ended() -> None:
    with subprocess.Popen(SLEEP) as left:
        with reaped([psutil.Process(left.pid)]):
            assert left.poll() is None
        assert left.wait(10) == -signal.SIGKILL


def test_a_process_that_took_over_a_number_is_left_alone() -> None:
    with subprocess.Popen(SLEEP) as other:
        argv = [sys.executable, "-P", main.__code__.co_filename, f"{other.pid}@1.0", "4194304@1.0"]
        assert subprocess.run(argv, input=b"", timeout=10, check=False).returncode == 0
        assert other.poll() is None
        other.kill()
