"""The one place where the stages meet Prefect: run a call as a task run that the UI shows.

The store holds what is done, so nothing is cached or persisted here, and a task run has no parameters: no
pixels, no credentials and no recipe go to the Prefect server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

T = TypeVar("T")


def step(kind: str, name: str, call: Callable[[], T]) -> T:
    """Run `call` here and now as a task run called `name`; `kind` groups task runs in the UI."""
    return _task(kind, name, call)()


def _task(kind: str, name: str, call: Callable[[], T]) -> Task[[], T]:
    @task(name=kind, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    def run() -> T:
        return call()

    return run
