"""Ends processes once the one that started them is gone, however it went.

After a kill -9 of a program that started a Ray, two of Ray's own processes wait a minute for a head that is gone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

import psutil


@contextmanager
def reaped(processes: Collection[psutil.Process]) -> Iterator[None]:
    """Have `processes` ended if this process dies inside the block; what it leaves behind at the end, too."""
    named = [f"{process.pid}@{process.create_time()}" for process in processes]
    # It waits for the end of its input, whose other end nobody but this process holds; Ctrl-C does not reach it.
    argv = [sys.executable, "-P", __file__, *named]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True):
        yield


def main(named: Sequence[str]) -> None:
    """Wait for the end of the input, then kill what is left of the processes, told from others by their start."""
    sys.stdin.buffer.read()
    for name in named:
        number, _, begun = name.partition("@")
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(int(number))
            if process.create_time() == float(begun):
                process.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
