"""How many threads a step of the engine should use right now.

OpenMP threads wait for each other by spinning. On idle cores two beat one; where other work holds a core, every
one of the engine's several hundred barriers a step costs a time slice, and two threads were measured 20 to 40
times slower than one. So the choice is measured, when a batch is about to run and every few seconds while it does.
"""

from __future__ import annotations

import time

_WINDOWS, _REPEATS, _PATIENCE = 3, 30, 0.05
_WORTH = 0.8  # more threads must take at most this share of one thread's time, in their worst window
_LOADED, _LOOKS = 1.5, 3  # up to here it may have been a passing moment, which is worth another look
_EVERY = 4.0  # seconds; a short look takes 40 ms on idle cores


class FittedThreads:
    """Run with `most` threads or with one, whichever is faster at this moment; afterwards with as many as before.

    Args:
        most: the number with which the engine was started; it has no room for more. 0 leaves them as they are.
    """

    def __init__(self, most: int) -> None:
        self.most, self.number = most, 1
        self._before, self._looked = 1, 0.0

    def __enter__(self) -> FittedThreads:
        import torch

        self._before = torch.get_num_threads()
        if self.most:
            self._use(self.most if self.most > 1 and _worth_it(self.most) else 1)
        return self

    def __exit__(self, *_: object) -> None:
        import torch

        torch.set_num_threads(self._before)

    def keep_up(self) -> None:
        """Between two steps: look again every few seconds; a short look that disagrees calls for a long one."""
        if self.most <= 1 or time.perf_counter() - self._looked <= _EVERY:
            return
        many = _share(self.most, 1) <= _WORTH
        if many != (self.number > 1):
            many = _worth_it(self.most)
        self._use(self.most if many else 1)

    def _use(self, number: int) -> None:
        import torch

        self.number, self._looked = number, time.perf_counter()
        torch.set_num_threads(number)


def _worth_it(most: int) -> bool:
    for _ in range(_LOOKS):
        share = _share(most, _WINDOWS)
        if share <= _WORTH or share > _LOADED:
            return share <= _WORTH
    return False


def _share(most: int, windows: int) -> float:
    """The time that `most` threads take of that of one, each in its worst window."""
    alone, together = zip(*((_seconds(1), _seconds(most)) for _ in range(windows)), strict=True)
    return max(together) / max(alone)


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
