"""Prepare the next batch while a step is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class OneAhead(Generic[T]):
    """Makes step `n + 1` in a thread of its own once step `n` was asked for; one step is made at a time.

    Args:
        make: from a step to what is wanted of it, a function of the step alone.
        steps: how many there are; none beyond them is made.
        pool: of one thread.
    """

    def __init__(self, make: Callable[[int], T], steps: int, pool: ThreadPoolExecutor) -> None:
        self._make, self._steps, self._pool = make, steps, pool
        self._next: tuple[int, Future[T]] | None = None

    def __call__(self, step: int) -> T:
        """What belongs to a step; whatever its making raises is raised here."""
        if self._next is not None and self._next[0] == step:
            made = self._next[1].result()
        else:
            self.wait()
            made = self._make(step)
        following = step + 1
        self._next = (following, self._pool.submit(self._make, following)) if following < self._steps else None
        return made

    def wait(self) -> None:
        """Return once nothing is being made; what was made is thrown away."""
        if self._next is not None:
            self._next[1].exception()
            self._next = None


@contextmanager
def one_ahead(make: Callable[[int], T], steps: int) -> Iterator[OneAhead[T]]:
    """`OneAhead` for the block; at its end nothing is being made."""
    with ThreadPoolExecutor(1, thread_name_prefix="next batch") as pool:
        ahead = OneAhead(make, steps, pool)
        try:
            yield ahead
        finally:
            ahead.wait()
