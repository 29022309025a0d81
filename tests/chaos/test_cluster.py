"""On a cluster that loses workers and machines, and gains some: the same bytes, and no shard stops another."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.attempts import MOST_ATTEMPTS, Attempts
from storage.ledger import committed_shards
from storage.s3 import S3Store
from tasks.engine.watch import SET_ASIDE, ShardsSetAside
from tests.chaos.cluster import Note, Notes, drive, live_on_ray
from tests.chaos.table import PROPERTY
from tests.chaos.trial import CONTEXT, REF, SHARDS, judge, recipe_of
from tests.counts import FULL

pytestmark = [pytest.mark.chaos, pytest.mark.server, pytest.mark.engine, pytest.mark.timeout(240)]
Conclude = Callable[..., None]
only_in_full = pytest.mark.skipif(not FULL, reason="SYNTHCXR_TESTS=full runs it")


class Machines:
    """A Ray cluster of several nodes on this machine: a head without GPUs, and nodes of two logical ones."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self.cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        self.nodes: list[Any] = []

    @property
    def address(self) -> str:
        assert self.cluster.address is not None
        return self.cluster.address

    def become(self, number: int) -> None:
        """Add or take away nodes, as if their machines were switched on or off, until there are so many."""
        while len(self.nodes) < number:
            self.nodes.append(self.cluster.add_node(num_cpus=4, num_gpus=2))
        while len(self.nodes) > number:
            self.cluster.remove_node(self.nodes.pop(0), allow_graceful=False)


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Machines()
        yield made
        made.cluster.shutdown()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


@pytest.fixture
def conclude(
    s3_store: S3Store, notes: Notes, undisturbed: dict[str, str], record_property: Callable[[str, object], None]
) -> Conclude:
    """Judge the store, put a line in the table, and see that nothing is wrong."""
    begun = time.monotonic()

    def conclude(trial: str, disturbances: int, lives: int = 1) -> None:
        verdict = judge(recipe_of(), s3_store, undisturbed)
        numbers = (disturbances, lives, notes.repeated(), *astuple(verdict))
        record_property(PROPERTY, [f"ray: {trial}", *map(str, numbers), f"{time.monotonic() - begun:.1f}"])
        assert verdict.faults == 0, verdict

    return conclude


def kill_one(notes: Notes, stage: str) -> None:
    """Kill -9 the next worker that begins a stage's work."""

    def begun() -> list[Note]:
        return [note for note in notes.read() if note.stage == stage]

    before = len(begun())
    assert until(lambda: len(begun()) > before, 30)
    os.kill(begun()[-1].process, signal.SIGKILL)


def test_a_worker_of_each_stage_is_killed(
    machines: Machines, s3_store: S3Store, notes: Notes, conclude: Conclude
) -> None:
    machines.become(2)

    def disturb(left: int) -> None:
        if left in (2, 10):
            kill_one(notes, "reports" if left == 2 else "images")

    drive(s3_store, notes, machines.address, disturb)
    assert notes.repeated() == 2, "a kill costs the shard that the worker had in hand"
    conclude("a worker of each stage killed", 2)


@pytest.mark.parametrize(("before", "after"), [(2, 1), pytest.param(3, 1, marks=only_in_full)])
def test_nodes_are_lost_and_not_replaced(
    machines: Machines, s3_store: S3Store, notes: Notes, conclude: Conclude, before: int, after: int
) -> None:
    machines.become(before)
    drive(s3_store, notes, machines.address, lambda left: machines.become(after) if left == 6 else None)
    assert notes.repeated() <= 2 * 2 * (before - after), "a lost worker costs no more than the shards in its hands"
    conclude(f"{before - after} of {before} nodes lost", before - after)


def test_a_node_that_joins_in_mid_run_takes_a_share(
    machines: Machines, s3_store: S3Store, notes: Notes, conclude: Conclude
) -> None:
    machines.become(1)
    drive(s3_store, notes, machines.address, lambda left: machines.become(2) if left == 4 else None)
    done = Counter(note.node for note in notes.read() if note.stage == "images")
    new = machines.nodes[-1].node_id
    assert done[new] >= 1, done
    conclude("a node joined", 1)


def test_shards_that_kill_or_raise_stop_no_other(
    machines: Machines, s3_store: S3Store, notes: Notes, conclude: Conclude
) -> None:
    machines.become(2)
    with pytest.raises(ShardsSetAside, match=r"2 shards are set aside .* 22 others were done") as raised:
        drive(s3_store, notes, machines.address, bad=(frozenset({5}), frozenset({11})))
    assert raised.value.exit_code == SET_ASIDE == 3
    assert len(committed_shards(s3_store, REF)) == SHARDS - 2
    attempts = Attempts(s3_store, REF)
    known = [(record.shard, record.stage, record.error, record.killed) for record in attempts.found()]
    assert known == [(5, "reports", "Killed", 3), (11, "images", "ArithmeticError", 0)]
    begun = Counter((note.stage, note.shard) for note in notes.read())
    assert (begun["reports", 5], begun["images", 5], begun["images", 11]) == (MOST_ATTEMPTS, 0, MOST_ATTEMPTS)
    assert attempts.clear() == [5, 11]
    drive(s3_store, notes, machines.address)
    conclude("one shard kills, one raises", 2, lives=2)


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=only_in_full)])
def test_what_drives_the_run_is_ended(
    s3_store: S3Store, notes: Notes, conclude: Conclude, number: signal.Signals
) -> None:
    def start() -> Any:
        process = CONTEXT.Process(target=live_on_ray, args=(s3_store, notes))
        process.start()
        return process

    first = start()
    assert until(lambda: len(committed_shards(s3_store, REF)) >= 4, 90)
    children = psutil.Process(first.pid).children(recursive=True)
    assert len(children) > 3, "Ray, and workers of both stages"
    os.kill(first.pid, number)
    first.join(30)
    assert first.exitcode == -number
    assert until(lambda: not any(map(alive, children)), 30), [child for child in children if alive(child)]
    again = start()
    again.join(120)
    assert again.exitcode == 0
    conclude(f"what drives it gets {number.name}", 1, lives=2)


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.05)
    return true()
