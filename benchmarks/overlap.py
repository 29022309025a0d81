"""What it saves that films are drawn while reports are written: `python -m benchmarks.overlap`.

Two stages of equal times, one worker each, on a Ray of this machine: all shards through both stages at once, against
one stage after the other. The stages sleep, so that two cores show what machines of their own would.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

from models.contracts import ProgressCallback
from storage.objects import ObjectStore
from tasks.engine.engine import Round
from tasks.engine.engines import open_engine
from tasks.engine.stage import Resources


class Sleeping:
    """Sleeps for each shard (protocol `tasks.engine.stage.Stage`)."""

    resources = Resources(most=1)

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self.seconds = name, seconds

    def missing(self, store: ObjectStore) -> Sequence[int]:
        del store
        return ()

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        del shard, on_progress
        time.sleep(self.seconds)


def took(stages: Sequence[Sleeping], shards: int) -> float:
    """Seconds that it takes to bring the shards through the stages, with the start of their workers."""
    with open_engine("ray", stages) as engine:
        begun = time.perf_counter()
        every = frozenset(range(shards))
        work = Round(range(shards), {stage.name: every for stage in stages}, _step, lambda _: None)
        assert len(list(engine.run(work))) == shards
        return time.perf_counter() - begun


def _step(kind: str, name: str, call: Callable[[], None]) -> None:
    del kind, name
    call()


def main() -> None:
    """Print both times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a stage's work on a shard")
    given = parser.parse_args()
    stages = [Sleeping("reports", given.seconds), Sleeping("images", given.seconds)]
    apart = [took([stage], given.shards) for stage in stages]
    together = took(stages, given.shards)
    print(f"one after the other: {' + '.join(f'{one:.1f}' for one in apart)} = {sum(apart):.1f} s")
    print(f"at once:             {together:.1f} s, {together / sum(apart):.2f} of it")


if __name__ == "__main__":
    main()
