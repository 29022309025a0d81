"""Engines: where shards run. `inline` is this process with one warm worker; `ray` is a pool of warm actors."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import Any, Protocol

from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.records import ShardEntry
from tasks.generate.worker import OnProgress, ShardWorker
from tasks.recipe.schema import Recipe


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker anywhere needs to begin: a recipe, its fingerprint, the version and the store.

    A store that has no keys of its own (any but the managed one) takes them from the environment where it is used.
    """

    recipe: Recipe
    fingerprint: str
    ref: DatasetRef
    store: ObjectStore


class Engine(Protocol):
    """Runs shards; `parallel` of them may be under way at once."""

    parallel: int

    def run(self, shard: int, on_progress: OnProgress | None = None) -> ShardEntry: ...

    def cards(self) -> dict[str, dict[str, Any]]: ...

    def close(self) -> None: ...


def open_engine(job: Job) -> Engine:
    """The engine that the recipe names; the recipe's schema knows no others."""
    return RayEngine(job) if job.recipe.engine == "ray" else InlineEngine(job)


class InlineEngine:
    """One worker in this process."""

    parallel = 1

    def __init__(self, job: Job) -> None:
        self._worker = ShardWorker(job.recipe, job.fingerprint, job.store, job.ref)

    def run(self, shard: int, on_progress: OnProgress | None = None) -> ShardEntry:
        """Make one shard here."""
        return self._worker.run(shard, on_progress)

    def cards(self) -> dict[str, dict[str, Any]]:
        """Model cards of both generators."""
        return self._worker.cards()

    def close(self) -> None:
        """Drop the models."""
        del self._worker


class RayEngine:
    """A pool of actors, one per group of GPUs, warm for its whole life; Ray restarts one whose node dies.

    A shard that is run twice is harmless: publishing is create-only.
    """

    def __init__(self, job: Job) -> None:
        import ray

        ray.init(ignore_reinit_error=True, log_to_driver=False, runtime_env={"env_vars": _store_environment()})
        self._ray = ray
        group = int(job.recipe.reports.generator.options.get("tensor_parallel_size", 1))
        gpus = int(ray.cluster_resources().get("GPU", 0))
        self.parallel = max(1, gpus // group)
        actor = ray.remote(num_gpus=group if gpus else 0, num_cpus=1, max_restarts=-1, max_task_retries=-1)(_Actor)
        self._free: queue.Queue[Any] = queue.Queue()
        for _ in range(self.parallel):
            self._free.put(actor.remote(job))

    def run(self, shard: int, on_progress: OnProgress | None = None) -> ShardEntry:
        """Give the shard to the next free actor and wait for it; actors report no progress within a shard."""
        del on_progress
        actor = self._free.get()
        try:
            return self._ray.get(actor.run.remote(shard))
        finally:
            self._free.put(actor)

    def cards(self) -> dict[str, dict[str, Any]]:
        """Model cards of both generators, from one actor."""
        actor = self._free.get()
        try:
            return self._ray.get(actor.cards.remote())
        finally:
            self._free.put(actor)

    def close(self) -> None:
        """End the actors and leave the cluster."""
        self._ray.shutdown()


class _Actor:
    """The worker inside a Ray actor."""

    def __init__(self, job: Job) -> None:
        self._worker = ShardWorker(job.recipe, job.fingerprint, job.store, job.ref)

    def run(self, shard: int) -> ShardEntry:
        return self._worker.run(shard)

    def cards(self) -> dict[str, dict[str, Any]]:
        return self._worker.cards()


def _store_environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "SYNTHCXR_"))}
