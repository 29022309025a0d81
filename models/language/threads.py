"""How many threads a step of the engine should use right now.

OpenMP threads wait for each other by spinning. On idle cores two beat one; where other work holds a core, every
one of the engine's several hundred barriers a step costs a time slice, and two threads were measured 20 to 40
times slower than one. So the choice is measured, each time a batch is about to run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_WINDOWS, _REPEATS, _PATIENCE = 3, 30, 0.05
_WORTH = 0.8  # more threads must take at most this share of one thread's time, in their worst window
_LOADED, _LOOKS = 1.5, 3  # up to here it may have been a passing moment, which is worth another look


@contextmanager
def fitted_threads(most: int) -> Iterator[int]:
    """Run with `most` threads or with one, whichever is faster at this moment; afterwards as many as before.

    Args:
        most: the number with which the engine was started; it has no room for more.
    """
    import torch

    before = torch.get_num_threads()
    try:
        best = most if most > 1 and _worth_it(most) else 1
        torch.set_num_threads(best)
        yield best
    finally:
        torch.set_num_threads(before)


def _worth_it(most: int) -> bool:
    for _ in range(_LOOKS):
        alone, together = zip(*((_seconds(1), _seconds(most)) for _ in range(_WINDOWS)), strict=True)
        share = max(together) / max(alone)
        if share <= _WORTH or share > _LOADED:
            return share <= _WORTH
    return False


def _seconds(threads: int) -> float:
    """Mean seconds of a small matrix product, about the size of one layer of a step; stops when it drags on."""
    import torch

    torch.set_num_threads(threads)
    x, weight = torch.ones(64, 576, dtype=torch.bfloat16), torch.ones(576, 1536, dtype=torch.bfloat16)
    torch.nn.functional.silu(x @ weight)
    started, done = time.perf_counter(), 0
    while done < _REPEATS and time.perf_counter() - started < _PATIENCE:
        torch.nn.functional.silu(x @ weight)
        done += 1
    return (time.perf_counter() - started) / done
