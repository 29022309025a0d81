"""What a killed run started is found by its record or its mark, and ended; nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.services.sessions import session, sweep
from storage.process import MARK

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
RUN = f"""
import os, pathlib, subprocess, sys, time
from flows.services import sessions
sessions._EVERY = 0.05
home, env = pathlib.Path(sys.argv[1]), {{}} if sys.argv[2] == "record" else None
with sessions.session(home):
    child = subprocess.Popen({SLEEPER!r}, env=env, stdout=subprocess.DEVNULL)
    if env is not None:
        while str(child.pid) not in "".join(path.read_text() for path in home.glob("sessions/*.json")):
            time.sleep(0.02)
    print(child.pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("way", ["mark", "record"])
def test_children_of_a_killed_run_are_ended(tmp_path: Path, way: str) -> None:
    run = subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path), way], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    child = psutil.Process(int(run.stdout.readline()))
    assert sweep(tmp_path) == 0  # its run lives
    run.kill()
    run.communicate()
    assert sweep(tmp_path / "another") == 0
    assert sweep(tmp_path) == 1
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    assert list((tmp_path / "sessions").iterdir()) == []


def test_a_run_that_ends_leaves_no_record_and_no_mark(tmp_path: Path) -> None:
    before = os.environ.get(MARK)
    with session(tmp_path):
        assert str(os.getpid()) in os.environ[MARK]
        deadline = time.monotonic() + 10
        while not list((tmp_path / "sessions").glob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sweep(tmp_path) == 0
    assert os.environ.get(MARK) == before
    assert list((tmp_path / "sessions").iterdir()) == []


@pytest.mark.parametrize("text", ["", "[[1", "{}", '[["a", "b"]]', "[[1, 2, 3]]"])
def test_a_record_that_is_cut_short_is_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "999999-1.5.json").write_text(text)
    assert sweep(tmp_path) == 0
    assert list((tmp_path / "sessions").iterdir()) == []


def test_a_recorded_pid_that_belongs_to_another_process_is_left_alone(tmp_path: Path) -> None:
    bystander = subprocess.Popen(SLEEPER)
    try:
        (tmp_path / "sessions").mkdir()
        (tmp_path / "sessions" / "999999-1.5.json").write_text(json.dumps([[bystander.pid, 1.0]]))
        assert sweep(tmp_path) == 0
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
