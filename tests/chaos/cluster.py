"""A version in the making on a Ray cluster: stages with stand-in models, and what drives them."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from models.contracts import ProgressCallback
from storage.attempts import Attempts
from storage.ledger import committed_shards
from storage.objects import ObjectStore
from storage.tags import advance_latest
from storage.versions import VersionPlace
from tasks.engine.bounded import Bounded
from tasks.engine.engine import Round
from tasks.engine.engines import open_engine
from tasks.engine.stage import Resources, Stage
from tasks.engine.watch import ShardsSetAside, Watch
from tasks.publish.dataset import open_version
from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.profile import dump_recipe
from tests.chaos.trial import REF, SHARDS, recipe_of
from tests.making import Making

LOAD, WORK = 0.5, 0.25
"""Seconds that a stand-in model takes to load, and that it takes for a shard beside what the stage itself takes."""


@dataclass(frozen=True, slots=True)
class Note:
    """That a worker began a stage's work on a shard."""

    stage: str
    shard: int
    process: int
    node: str


class Notes:
    """What the workers of one machine note, in a file that all of them append to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, note: Note) -> None:
        with self.path.open("a") as file:
            file.write(f"{note.stage} {note.shard} {note.process} {note.node}\n")

    def read(self) -> list[Note]:
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        words = [line.split() for line in lines]
        return [Note(stage, int(shard), int(process), node) for stage, shard, process, node in words]

    def repeated(self) -> int:
        """How often a stage's work on a shard was begun again."""
        return sum(times - 1 for times in Counter((note.stage, note.shard) for note in self.read()).values())


@dataclass(slots=True)
class StandIn:
    """A stage that holds one logical GPU and takes its time (protocol `tasks.engine.stage.Stage`).

    Args:
        inner: the stage whose work is done.
        notes: where workers note what they begin.
        most: workers that it grows to.
        kills, raises: shards at which it always kills its process, or raises.
    """

    inner: Stage
    notes: Notes
    most: int = 3
    kills: frozenset[int] = frozenset()
    raises: frozenset[int] = frozenset()
    _loaded: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def resources(self) -> Resources:
        return Resources(gpus=1, most=self.most)

    def missing(self, store: ObjectStore) -> Sequence[int]:
        return self.inner.missing(store)

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        import ray

        self.notes.write(Note(self.name, shard, os.getpid(), ray.get_runtime_context().get_node_id()))
        if not self._loaded:
            time.sleep(LOAD)
            self._loaded = True
        time.sleep(WORK)
        if shard in self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        if shard in self.raises:
            raise ArithmeticError(f"shard {shard} does not converge")
        self.inner.run(shard, on_progress)


def no_disturbance(left: int) -> None:
    """Let a run be."""


def drive(
    store: ObjectStore,
    notes: Notes,
    address: str | None = None,
    disturb: Callable[[int], None] = no_disturbance,
    bad: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset()),
) -> None:
    """Make the version on a cluster as `flows.generate` does, without Prefect.

    Args:
        store: where it is made.
        notes: where the workers note what they begin.
        address: of the cluster; None starts one.
        disturb: called with the number of shards that have left, after each.
        bad: shards at which the reports' worker is killed, and at which the images' worker raises.

    Raises:
        ShardsSetAside: shards are set aside.
    """
    recipe = recipe_of()
    open_version(VersionPlace(store, REF), dump_recipe(recipe), fingerprint(recipe))
    making, attempts = Making(recipe, store, REF), Attempts(store, REF)
    stages = [
        Bounded(StandIn(making.reports, notes, kills=bad[0]), attempts),
        Bounded(StandIn(making.images, notes, raises=bad[1]), attempts),
    ]
    with open_engine("ray", stages, address) as engine:
        lacking = {stage.name: frozenset(stage.missing(store)) for stage in stages}
        watch = Watch(attempts, range(SHARDS), frozenset().union(*lacking.values()))
        for number, left in enumerate(engine.run(Round(watch.shards, lacking, _step, lambda _: None)), start=1):
            watch.settle(left)
            disturb(number)
        watch.check()
    making.finish(committed_shards(store, REF).values())
    attempts.forget()
    advance_latest(store, REF)


def live_on_ray(store: ObjectStore, notes: Notes) -> None:
    """`drive` as a process of its own, on a cluster of its own; its exit code is the command's."""
    try:
        drive(store, notes)
    except ShardsSetAside as error:
        raise SystemExit(error.exit_code) from error


def _step(kind: str, name: str, call: Callable[[], None]) -> None:
    del kind, name
    call()
