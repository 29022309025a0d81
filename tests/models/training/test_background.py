"""States are written beside the training: one at a time, and a failure does not end it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from models.training.background import BackgroundWriter


class SlowStore:
    """Each write waits until it is let through."""

    def __init__(self) -> None:
        self.gate = threading.Semaphore(0)
        self.steps: list[int] = []

    def newest(self) -> Iterator[tuple[str, bytes]]:
        return iter(())

    def write(self, step: int, state: bytes) -> None:
        assert self.gate.acquire(timeout=30)
        if state == b"bad":
            raise OSError(28, "No space left on device")
        self.steps.append(step)


def test_a_write_returns_before_the_state_is_kept_and_the_next_waits_for_it() -> None:
    store = SlowStore()
    writer = BackgroundWriter(store)
    writer.write(1, b"state")
    assert store.steps == [], "the first write has returned, and its state waits for the store"
    store.gate.release()
    writer.write(2, b"state")
    assert store.steps == [1]
    store.gate.release()
    writer.wait()
    writer.wait()
    assert store.steps == [1, 2]


def test_a_state_that_cannot_be_kept_is_a_warning_with_step_and_reason(caplog: pytest.LogCaptureFixture) -> None:
    store = SlowStore()
    store.gate.release(2)
    writer = BackgroundWriter(store)
    writer.write(7, b"bad")
    writer.write(8, b"state")
    writer.wait()
    assert "the state after step 7 was not kept" in caplog.text
    assert "No space left on device" in caplog.text
    assert store.steps == [8]
