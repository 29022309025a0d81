"""kill -9 at random steps of a training, alone and in a group of two: every later loss is the undisturbed run's."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.training import SAVE, STEPS

pytestmark = pytest.mark.chaos


def train(folder: Path, store: str, world: int, kill_at: int = 0) -> dict[str, Any] | None:
    """What the training left behind; None where it was killed."""
    out = folder / f"{store}-{kill_at}.json"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "tests.chaos.training", str(folder / store), str(out), str(world)]
    processes = [
        subprocess.Popen([*command, str(number), str(port), str(kill_at)], stderr=subprocess.DEVNULL)
        for number in range(world)
    ]
    if processes[0].wait(timeout=120):
        for process in processes[1:]:
            process.kill()
            process.wait()
        return None
    assert [process.wait(timeout=60) for process in processes[1:]] == [0] * (world - 1)
    return json.loads(out.read_text())


@pytest.mark.parametrize("world", [1, 2])
def test_a_training_killed_three_times_ends_as_one_that_was_not(tmp_path: Path, world: int) -> None:
    whole = train(tmp_path, "whole", world)
    assert whole is not None
    assert len(whole["losses"]) == STEPS
    kills = sorted(random.sample(range(SAVE + 1, STEPS), 3))
    for at in kills:
        assert train(tmp_path, "broken", world, at) is None, "it was killed"
    last = train(tmp_path, "broken", world)
    assert last is not None
    assert last["begun"] >= SAVE, f"killed after {kills}, it began anew"
    assert last["losses"] == whole["losses"], f"killed after {kills}"
    assert last["weights"] == whole["weights"], f"killed after {kills}"
