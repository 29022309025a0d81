"""The one place where the stages meet Prefect: run a call as a task run that the UI shows.

The store holds what is done, so nothing is cached or persisted here, and a task run has no parameters: no
pixels, no credentials and no recipe go to the Prefect server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lane:
    """What is done to numbered items, a task run for each.

    Args:
        kind: groups its task runs in the UI, and begins their names.
        items: which items need it; others pass by.
        call: does it to an item.
        parallel: items that it is done to at once.
    """

    kind: str
    items: Collection[int]
    call: Callable[[int], None]
    parallel: int = 1


def step(kind: str, name: str, call: Callable[[], T]) -> T:
    """Run `call` here and now as a task run called `name`; `kind` groups task runs in the UI."""
    return _task(kind, name, call)()


def one_by_one(lanes: Sequence[Lane], items: Sequence[int]) -> Iterator[int]:
    """Take each item through all lanes before the next, in the calling thread; the items as they leave."""
    for item in items:
        for lane in lanes:
            if item in lane.items:
                _lane_task(lane, item)()
        yield item


def side_by_side(lanes: Sequence[Lane], items: Sequence[int]) -> Iterator[int]:
    """Take items through the lanes in their order, all lanes at work at once; the items as they leave."""
    waiting = [deque(items), *(deque[int]() for _ in lanes)]
    running: dict[PrefectFuture[None], tuple[int, int]] = {}
    while True:
        for number, lane in enumerate(lanes):
            _start(lane, number, waiting, running)
        while waiting[-1]:
            yield waiting[-1].popleft()
        if not running:
            return
        ended = next(iter(as_completed(list(running))))
        number, item = running.pop(ended)
        ended.result()
        waiting[number + 1].append(item)


def _start(
    lane: Lane, number: int, waiting: Sequence[deque[int]], running: dict[PrefectFuture[None], tuple[int, int]]
) -> None:
    """Begin what a lane has room for, and pass on what does not need it."""
    busy = sum(at == number for at, _ in running.values())
    while waiting[number] and (busy < lane.parallel or waiting[number][0] not in lane.items):
        item = waiting[number].popleft()
        if item in lane.items:
            running[_lane_task(lane, item).submit()] = (number, item)
            busy += 1
        else:
            waiting[number + 1].append(item)


def _lane_task(lane: Lane, item: int) -> Task[[], None]:
    return _task(lane.kind, f"{lane.kind}-{item:05d}", lambda: lane.call(item))


def _task(kind: str, name: str, call: Callable[[], T]) -> Task[[], T]:
    @task(name=kind, task_run_name=name, cache_policy=NO_CACHE, persist_result=False)
    def run() -> T:
        return call()

    return run
