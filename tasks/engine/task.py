"""The Prefect shell of the shard worker: one thin task run per shard, so that the UI shows it."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from storage.records import ShardEntry
from tasks.engine.pool import Engine
from tasks.engine.worker import OnProgress

_ENGINES: dict[str, tuple[Engine, OnProgress | None]] = {}


def lend(name: str, engine: Engine, on_progress: OnProgress | None = None) -> None:
    """Make an engine known to task runs by name: parameters of a task run are names and numbers only."""
    _ENGINES[name] = (engine, on_progress)


def take_back(name: str) -> None:
    """Forget an engine."""
    del _ENGINES[name]


@task(name="shard", task_run_name="shard-{shard:05d}", cache_policy=NO_CACHE, persist_result=False)
def make_shard(engine: str, shard: int) -> dict[str, Any]:
    """Make one shard, or find it committed; returns its entry as plain data."""
    worker, on_progress = _ENGINES[engine]
    entry: ShardEntry = worker.run(shard, on_progress)
    return entry.model_dump(mode="json")
