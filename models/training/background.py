"""Write the states of a training beside it, so that a slow store does not hold it up."""

from __future__ import annotations

import logging
import threading

from models.training.state import StateStore

_log = logging.getLogger(__name__)


class BackgroundWriter:
    """Writes one state at a time in a thread of its own; the next write waits for the one before.

    A state that cannot be written is a warning: the training goes on, and the next one is tried.
    """

    def __init__(self, states: StateStore) -> None:
        self._states = states
        self._thread: threading.Thread | None = None

    def write(self, step: int, state: bytes) -> None:
        """Begin to keep the state after `step` steps."""
        self.wait()
        self._thread = threading.Thread(target=self._write, args=(step, state), name=f"state {step}", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Return once nothing is being written, or after so many seconds."""
        if self._thread is not None:
            self._thread.join(seconds)
            self._thread = None

    def _write(self, step: int, state: bytes) -> None:
        try:
            self._states.write(step, state)
        except Exception as error:  # whatever a file system or an object store raises
            _log.warning("the state after step %d was not kept (%s): the training goes on", step, error)
