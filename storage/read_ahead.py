"""Read objects before they are asked for: one thread per open object, a bounded number of bytes ahead."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from io import BufferedReader, RawIOBase
from typing import Any, BinaryIO, cast

from storage.objects import ObjectStore

BLOCK = 1 << 20
BLOCKS = 16
"""Blocks of an object that may wait to be read."""


def read_ahead(store: ObjectStore, keys: Sequence[str], ahead: int = 2) -> Iterator[BinaryIO]:
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
            with BufferedReader(waiting.popleft(), BLOCK) as stream:
                yield cast(BinaryIO, stream)
    finally:
        for fetch in waiting:
            fetch.close()


class _Fetch(RawIOBase):
    """One object, read by a thread of its own from the moment it is made."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        super().__init__()
        self._store, self._key = store, key
        self._blocks: queue.Queue[bytes | BaseException] = queue.Queue(BLOCKS)
        self._stopped = threading.Event()
        self._left = memoryview(b"")
        self._ended = False
        threading.Thread(target=self._fetch, name=f"read {key}", daemon=True).start()

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` from the block at hand; 0 at the end."""
        if not self._left and not self._ended:
            block = self._blocks.get()
            self._ended = not block or isinstance(block, BaseException)
            if isinstance(block, BaseException):
                raise block
            self._left = memoryview(block)
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def close(self) -> None:
        """Let the thread go; it ends after the block that it is reading."""
        self._stopped.set()
        super().close()

    def _fetch(self) -> None:
        try:
            with self._store.open(self._key) as stream:
                while not self._stopped.is_set():
                    block = stream.read(BLOCK)
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
