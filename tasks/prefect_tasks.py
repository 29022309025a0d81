"""The one place where the stages meet Prefect: run a call as a task run that the UI shows.

The store says what is done, so nothing is cached or persisted here, and a task run has no parameters: no
pixels, no credentials and no recipe go to the Prefect server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed

T = TypeVar("T")


def step(kind: str, name: str, call: Callable[[], T]) -> T:
    """Run `call` here and now as a task run called `name`; `kind` groups task runs in the UI."""
    return _shell(kind, name, call)()


def steps(kind: str, calls: Iterable[tuple[str, Callable[[], T]]], parallel: int) -> Iterator[T]:
    """Run named calls as task runs, `parallel` at a time, and give their results as they come.

    One at a time they run in the calling thread, in order.
    """
    if parallel == 1:
        yield from (step(kind, name, call) for name, call in calls)
        return
    waiting = iter(calls)
    running: list[PrefectFuture[T]] = []
    while True:
        for name, call in waiting:
            running.append(_shell(kind, name, call).submit())
            if len(running) == parallel:
                break
        if not running:
            return
        done = next(iter(as_completed(running)))
        running.remove(done)
        yield done.result()


def _shell(kind: str, name: str, call: Callable[[], T]) -> Task[[], T]:
    @task(name=kind, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    def run() -> T:
        return call()

    return run
