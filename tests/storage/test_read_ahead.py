"""Objects come in order and whole, however far ahead they are read, and nobody is left waiting."""

from __future__ import annotations

import os
import threading
import time
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from storage.errors import ObjectMissing
from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.read_ahead import BLOCK, BLOCKS, read_ahead


class Watched(LocalStore):
    """A local store that keeps count of what was opened, and may be slow."""

    def __init__(self, folder: Path, wait: float = 0) -> None:
        super().__init__(folder)
        self.wait, self.opened = wait, []

    def open(self, key: str) -> BinaryIO:
        self.opened.append(key)
        time.sleep(self.wait)
        return super().open(key)


def fetchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read ")]


@pytest.mark.parametrize("step", [1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 9 * BLOCK])
@pytest.mark.parametrize("size", [0, 1, BLOCK, 2 * BLOCK + 5])
def test_pieces_of_any_size_make_up_the_object(tmp_path: Path, size: int, step: int) -> None:
    store, body = LocalStore(tmp_path), os.urandom(size)
    store.put("k", body)
    for stream in read_ahead(store, ["k"], 1):
        pieces = [stream.read(step)]
        while step > 100 and pieces[-1]:
            pieces.append(stream.read(step))
        assert b"".join(pieces) + stream.read() == body
        assert stream.read() == stream.read(step) == b""


@pytest.mark.server
@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_every_object_comes_whole_and_in_order(store: ObjectStore, ahead: int) -> None:
    bodies = {f"{number}": os.urandom(size) for number, size in enumerate((0, 1, BLOCK, 3 * BLOCK + 7))}
    for key, body in bodies.items():
        store.put(key, body)
    keys = [*bodies, "3"]
    assert [stream.read() for stream in read_ahead(store, keys, ahead)] == [bodies[key] for key in keys]
    assert list(read_ahead(store, [], ahead)) == []


def test_the_next_objects_are_fetched_while_one_is_read(tmp_path: Path) -> None:
    store = Watched(tmp_path, wait=0.25)
    for number in range(8):
        store.put(f"{number}", b"x")
    begun = time.monotonic()
    for count, stream in enumerate(read_ahead(store, [f"{n}" for n in range(8)], 3), start=1):
        stream.read()
        assert len(store.opened) <= count + 3
    assert time.monotonic() - begun < 1.5 < 8 * store.wait


def test_no_more_than_the_bound_waits_in_memory(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("big", os.urandom(1) * (BLOCKS + 8) * BLOCK)
    for stream in read_ahead(store, ["big"], 1):
        blocks = cast(Any, stream)._blocks
        deadline = time.monotonic() + 10
        while blocks.qsize() < BLOCKS and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert blocks.qsize() == BLOCKS
        assert len(stream.read()) == (BLOCKS + 8) * BLOCK


def test_what_goes_wrong_in_the_background_reaches_the_reader(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("there", b"x")
    streams = read_ahead(store, ["there", "nowhere"], 2)
    assert next(streams).read() == b"x"
    with pytest.raises(ObjectMissing, match="nowhere"):
        next(streams).read()


def test_a_reader_that_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for number in range(6):
        store.put(f"{number}", bytes((BLOCKS + 2) * BLOCK))
    streams = read_ahead(store, [f"{n}" for n in range(6)], 3)
    for stream in islice(streams, 2):
        stream.read(10)
    streams.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while fetchers() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert fetchers() == []
