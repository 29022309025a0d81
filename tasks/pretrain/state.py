"""The states of a trial in training, beside where its checkpoint will be: a killed run goes on from the newest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.errors import AlreadyExists, ObjectMissing
from storage.layout import CHECKPOINTS, split_state, state_key

if TYPE_CHECKING:
    from storage.objects import ObjectStore

KEPT = 2
"""States that are kept, so that one is left where the newest cannot be read."""


@dataclass(frozen=True, slots=True)
class TrialState:
    """The states of the trial with this fingerprint (`models.training.state.StateStore`), an object each.

    Workers that train the same trial at once write states of the same training, and either may be taken.
    """

    store: ObjectStore
    fingerprint: str

    def newest(self) -> Iterator[tuple[str, bytes]]:
        """See the protocol."""
        for step in reversed(self.steps()):
            key = state_key(self.fingerprint, step)
            with suppress(ObjectMissing):  # another worker of the same trial has removed it since
                yield self.store.uri(key), self.store.get(key)

    def write(self, step: int, state: bytes) -> None:
        """Keep it, create-only, and remove all but the newest `KEPT`."""
        with suppress(AlreadyExists):  # another worker of the same trial was there first, or an earlier one
            self.store.put(state_key(self.fingerprint, step), state)
        self._remove(self.steps()[:-KEPT])

    def clear(self) -> None:
        """Remove them all: the training is over."""
        self._remove(self.steps())

    def steps(self) -> list[int]:
        """Steps behind each state, in their order."""
        found = (split_state(info.key) for info in self.store.list(f"{CHECKPOINTS}{self.fingerprint}/"))
        return sorted(part[1] for part in found if part is not None)

    def _remove(self, steps: list[int]) -> None:
        for step in steps:
            self.store.delete(state_key(self.fingerprint, step))
