"""The state of a trial in training, beside where its checkpoint will be: a killed run goes on from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.errors import ObjectMissing
from storage.layout import state_key

if TYPE_CHECKING:
    from storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class TrialState:
    """The last state of the trial with this fingerprint (`models.training.state.StateStore`).

    Workers that train the same trial at once write states of the same training, and either may be taken.
    """

    store: ObjectStore
    fingerprint: str

    def read(self) -> bytes | None:
        """The last state, or None."""
        try:
            return self.store.get(state_key(self.fingerprint))
        except ObjectMissing:
            return None

    def write(self, step: int, state: bytes) -> None:
        """Put it in place of the one before; `step` is inside it."""
        del step
        self.store.put(state_key(self.fingerprint), state, create_only=False)

    def clear(self) -> None:
        """Remove it: the training is over."""
        self.store.delete(state_key(self.fingerprint))

    def __str__(self) -> str:
        return self.store.uri(state_key(self.fingerprint))
