"""How many threads a step of the engine should use right now.

OpenMP threads wait for each other by spinning. On idle cores two beat one; where other work holds a core, every
one of the engine's several hundred barriers a step costs a time slice, and two threads were measured 20 to 40
times slower than one. So the choice is measured, each time a batch is about to run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_REPEATS, _PATIENCE = 60, 0.15


@contextmanager
def fitted_threads(most: int) -> Iterator[int]:
    """Run with `most` threads or with one, whichever is faster at this moment; afterwards as many as before.

    Args:
        most: the number with which the engine was started; it has no room for more.
    """
    import torch

    before = torch.get_num_threads()
    try:
        best = min((1, most), key=_seconds_per_step) if most > 1 else most
        torch.set_num_threads(best)
        yield best
    finally:
        torch.set_num_threads(before)


def _seconds_per_step(threads: int) -> float:
    """Mean seconds of a small matrix product, about the size of one layer of a step; stops when it drags on."""
    import torch

    torch.set_num_threads(threads)
    x, weight = torch.ones(64, 576, dtype=torch.bfloat16), torch.ones(576, 1536, dtype=torch.bfloat16)
    times: list[float] = []
    started = time.perf_counter()
    while len(times) < _REPEATS and (time.perf_counter() - started < _PATIENCE or len(times) < 3):
        before = time.perf_counter()
        torch.nn.functional.silu(x @ weight)
        times.append(time.perf_counter() - before)
    return sum(times) / len(times)
