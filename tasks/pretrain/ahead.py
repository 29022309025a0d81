"""Prepare the next batches while a step is computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Makes the steps that follow the one asked for in a thread of its own, in their order, one after the other.

    Args:
        make: from a step to what is wanted of it, a function of the step alone.
        steps: how many there are; none beyond them is made.
        many: how many are made ahead; 0 makes each when it is asked for, in the thread that asks.
        pool: of one thread.
    """

    def __init__(self, make: Callable[[int], T], steps: int, many: int, pool: ThreadPoolExecutor) -> None:
        self._make, self._steps, self._many, self._pool = make, steps, many, pool
        self._next: deque[tuple[int, Future[T]]] = deque()

    def __call__(self, step: int) -> T:
        """What belongs to a step; whatever its making raises is raised here."""
        if self._next and self._next[0][0] == step:
            made = self._next.popleft()[1].result()
        else:
            self.wait()
            made = self._make(step)
        for following in range(step + 1 + len(self._next), min(step + 1 + self._many, self._steps)):
            self._next.append((following, self._pool.submit(self._make, following)))
        return made

    def wait(self) -> None:
        """Return once nothing is being made; what was made is thrown away."""
        while self._next:
            _, made = self._next.pop()
            if not made.cancel():
                made.exception()


@contextmanager
def made_ahead(make: Callable[[int], T], steps: int, many: int = 1) -> Iterator[Ahead[T]]:
    """`Ahead` for the block; at its end nothing is being made."""
    with ThreadPoolExecutor(1, thread_name_prefix="next batch") as pool:
        ahead = Ahead(make, steps, many, pool)
        try:
            yield ahead
        finally:
            ahead.wait()
