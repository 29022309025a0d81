"""A run goes on when MLflow fails: its data is worth more than its log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tasks.track.causes import cause_of, is_race

T = TypeVar("T")
_COSTLY = 1.0  # seconds; a failure that took longer is not met again for a while
_PAUSE = 60.0
_TRIES = 3  # where runs that write the same row at once are in each other's way


class Losses:
    """What MLflow was not given. The first failure is reported at once, the sum at the end, each in one line.

    Args:
        say: called with each line.
        clock: seconds, for tests.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.count = 0
        self.reason = ""
        self._say, self._clock = say, clock
        self._again_at = float("-inf")

    @property
    def down(self) -> bool:
        """Whether MLflow was found not to answer a moment ago."""
        return self._clock() < self._again_at

    def attempt(self, call: Callable[[], T], *, though_down: bool = False) -> T | None:
        """What `call` returns; None, and one more loss, where it fails or MLflow is down."""
        if self.down and not though_down:
            self.count += 1
            return None
        begun = self._clock()
        try:
            return _tried(call)
        except Exception as error:  # whatever the client of a tracking server or of an artifact store raises
            self._lose(cause_of(error))
            if self._clock() - begun > _COSTLY:
                self._again_at = self._clock() + _PAUSE
            return None

    def report(self) -> None:
        """Say at the end what is missing, if anything is."""
        if self.count:
            self._say(f"tracking is incomplete: MLflow did not take {self.count} records of this run ({self.reason})")

    def _lose(self, reason: str) -> None:
        self.count += 1
        if not self.reason:
            self.reason = reason
            self._say(f"MLflow failed ({reason}): the run goes on, its tracking will be incomplete")


def _tried(call: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return call()
        except Exception as error:  # of whatever type the client makes of its database's
            if not is_race(error):
                raise
    return call()
