"""kill -9 at random steps of a training, alone and in a group of two: every later loss is the undisturbed run's."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from storage.process import free_port
from tests.chaos.training import SAVE, STEPS, train_in_process
from tests.chaos.trial import CONTEXT

pytestmark = pytest.mark.chaos


def train(folder: Path, store: str, world: int, kill_at: int = 0) -> dict[str, Any] | None:
    """What the training left behind; None where it was killed."""
    out, port = folder / f"{store}-{kill_at}.json", free_port()
    processes = [
        CONTEXT.Process(target=train_in_process, args=(folder / store, out, world, number, port, kill_at), daemon=True)
        for number in range(world)
    ]
    for process in processes:
        process.start()
    processes[0].join(120)
    if killed := processes[0].exitcode == -signal.SIGKILL:
        for process in processes[1:]:
            process.kill()
    for process in processes[1:]:
        process.join(60)
    if killed:
        return None
    assert [process.exitcode for process in processes] == [0] * world
    return json.loads(out.read_text())


@pytest.mark.parametrize("world", [1, 2])
def test_a_training_killed_three_times_ends_as_one_that_was_not(tmp_path: Path, world: int) -> None:
    whole = train(tmp_path, "whole", world)
    assert whole is not None
    assert len(whole["losses"]) == STEPS
    first = 2 * SAVE + 1  # the state after SAVE steps is then kept: the next one waited for it
    kills = sorted(random.sample(range(first, STEPS), 3))
    for at in kills:
        assert train(tmp_path, "broken", world, at) is None, "it was killed"
    last = train(tmp_path, "broken", world)
    assert last is not None
    assert last["begun"] >= SAVE, f"killed after {kills}, it began anew"
    assert last["losses"] == whole["losses"], f"killed after {kills}"
    assert last["weights"] == whole["weights"], f"killed after {kills}"
