"""A pool of Ray actors for each stage, warm for as long as the pool lives; Ray restarts one whose node dies.

A shard that is run twice is harmless: publishing is create-only.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from models.contracts import ProgressCallback
from tasks.engine.placement import fit_to, place
from tasks.engine.pool import Engine, Pool
from tasks.engine.stage import Resources, Stage

_PREFIXES = ("AWS_", "SYNTHCXR_", "HF_")
"""What the store, the state folder and the model hub read."""


@contextmanager
def ray_engine(stages: Sequence[Stage]) -> Iterator[Engine]:
    """Join the cluster that ``RAY_ADDRESS`` names, or start one on this machine, and leave it at the end.

    A process that has joined one already stays in it.

    Raises:
        NoRoom: the cluster cannot hold one worker of a stage.
    """
    import ray

    joined = ray.is_initialized()
    if not joined:
        ray.init(log_to_driver=False)
    pools: tuple[Pool, ...] = ()
    try:
        held = ray.cluster_resources()
        workers, together = place(stages, held)
        actors = [
            _Actors(stage, count, fit_to(stage.resources, held)) for stage, count in zip(stages, workers, strict=True)
        ]
        pools = tuple(Pool(each.stage, each.count, each.run, each.close) for each in actors)
        yield Engine(pools, "stages" if together else "none")
    finally:
        for pool in pools:
            pool.close()
        if not joined:
            ray.shutdown()


class _Actors:
    """The actors of one stage, which start when the first shard comes.

    Args:
        stage: what they run.
        count: how many there are.
        resources: what each holds.
    """

    def __init__(self, stage: Stage, count: int, resources: Resources) -> None:
        self.stage, self.count, self._resources = stage, count, resources
        self._free: queue.Queue[Any] = queue.Queue()
        self._started: list[Any] = []
        self._lock = Lock()

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        """Give the shard to the next free actor and wait for it; actors report no progress within a shard."""
        del on_progress
        import ray

        with self._lock:
            if not self._started:
                self._start()
        actor = self._free.get()
        try:
            ray.get(actor.run.remote(shard))
        finally:
            self._free.put(actor)

    def close(self) -> None:
        """End the actors, so that others can have what they hold."""
        import ray

        with self._lock:
            for actor in self._started:
                ray.kill(actor)
            self._started, self._free = [], queue.Queue()

    def _start(self) -> None:
        import ray

        needs = self._resources
        options: dict[str, Any] = {"num_gpus": needs.gpus, "num_cpus": needs.cpus, "max_restarts": -1}
        if needs.memory is not None:
            options["memory"] = needs.memory
        if needs.node is not None:
            options["resources"] = {needs.node: 1}
        if needs.python is not None:
            options["runtime_env"] = {"py_executable": needs.python}
        actor: Any = ray.remote(**options, max_task_retries=-1)(_Actor)
        environment = environment_for(needs, os.environ)
        self._started = [actor.remote(self.stage, environment) for _ in range(self.count)]
        for each in self._started:
            self._free.put(each)


class _Actor:
    """A worker inside a Ray actor.

    The environment comes as an argument and not as Ray's ``runtime_env``, which its dashboard would show: the keys of
    the store are in it.
    """

    def __init__(self, stage: Stage, environment: Mapping[str, str]) -> None:
        os.environ.update(environment)
        self._stage = stage

    def run(self, shard: int) -> None:
        self._stage.run(shard)


def environment_for(resources: Resources, environment: Mapping[str, str]) -> dict[str, str]:
    """What of `environment` a worker takes with it."""
    return {
        name: value for name, value in environment.items() if name.startswith(_PREFIXES) or name in resources.variables
    }
