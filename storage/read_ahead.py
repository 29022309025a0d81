"""Read objects before they are asked for: one thread per open object, a bounded number of bytes ahead."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Protocol

from storage.objects import ObjectStore

BLOCK = 1 << 20
BLOCKS = 16
"""Blocks of an object that may wait to be read."""


class Readable(Protocol):
    """What is read from: as much as is asked for, less only at the end."""

    def read(self, size: int = -1, /) -> bytes: ...


def read_ahead(store: ObjectStore, keys: Sequence[str], ahead: int = 2) -> Iterator[Readable]:
    """One stream per key, in order; while one is read, the next `ahead` are fetched.

    A stream is closed when the next one is asked for. `ahead` of 0 fetches nothing early, in no thread.

    Raises:
        ObjectMissing: and whatever else the store raises, from the read that meets it.
    """
    if ahead < 1:
        for key in keys:
            with store.open(key) as stream:
                yield stream
        return
    waiting: deque[_Fetch] = deque()
    try:
        for number in range(len(keys)):
            while len(waiting) <= ahead and number + len(waiting) < len(keys):
                waiting.append(_Fetch(store, keys[number + len(waiting)]))
            with closing(waiting.popleft()) as fetch:
                yield fetch
    finally:
        for fetch in waiting:
            fetch.close()


class _Fetch:
    """One object, read by a thread of its own from the moment it is made."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        self._store, self._key = store, key
        self._blocks: queue.Queue[bytes | BaseException] = queue.Queue(BLOCKS)
        self._stopped = threading.Event()
        self._block, self._at, self._ended = b"", 0, False
        threading.Thread(target=self._fetch, name=f"read {key}", daemon=True).start()

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes; all that are left if it is negative."""
        if 0 <= size <= len(self._block) - self._at:
            self._at += size
            return self._block[self._at - size : self._at]
        pieces = [self._block[self._at :]]
        missing = size - len(pieces[0])
        while (size < 0 or missing > 0) and self._next():
            pieces.append(self._block if size < 0 else self._block[:missing])
            missing -= len(pieces[-1])
        self._at = len(pieces[-1]) if len(pieces) > 1 else len(self._block)
        return b"".join(pieces)

    def close(self) -> None:
        """Let the thread go; it ends after the block that it is reading."""
        self._stopped.set()

    def _next(self) -> bool:
        """Take the next block; False at the end."""
        if self._ended:
            return False
        block = self._blocks.get()
        self._ended = not block or isinstance(block, BaseException)
        if isinstance(block, BaseException):
            raise block
        if block:
            self._block, self._at = block, 0
        return bool(block)

    def _fetch(self) -> None:
        try:
            with self._store.open(self._key) as stream:
                source = getattr(stream, "raw", stream)  # blocks of this size need no buffer in between
                while not self._stopped.is_set():
                    block = source.read(BLOCK)
                    self._hand_over(block)
                    if not block:
                        return
        except BaseException as error:  # whatever it is, it belongs to the reader
            self._hand_over(error)

    def _hand_over(self, block: bytes | BaseException) -> None:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._blocks.put(block, timeout=0.1)
                return
