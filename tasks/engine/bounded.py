"""A bound on how often a stage tries a shard: one that kills or always raises is set aside, and the others go on."""

from __future__ import annotations

from collections.abc import Sequence

from models.contracts import ModelNotFound, ProgressCallback, RequestsRefused
from storage.attempts import Attempts
from storage.errors import CorruptShard, ObjectMissing, ShardConflict, StoreError
from storage.objects import ObjectStore
from tasks.engine.stage import Resources, Stage


class ShardSetAside(RuntimeError):
    """A shard had all its attempts; the store holds what is known of it."""


class Bounded:
    """A stage that notes each attempt before it starts (protocol `tasks.engine.stage.Stage`).

    Args:
        stage: what is tried.
        attempts: where they are noted.
    """

    def __init__(self, stage: Stage, attempts: Attempts) -> None:
        self.stage, self.attempts = stage, attempts

    @property
    def name(self) -> str:
        """The stage's."""
        return self.stage.name

    @property
    def resources(self) -> Resources:
        """The stage's."""
        return self.stage.resources

    def missing(self, store: ObjectStore) -> Sequence[int]:
        """The stage's."""
        return self.stage.missing(store)

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        """Try until it is done; what no other shard would escape, and what a user interrupts, counts as no attempt.

        Raises:
            ShardSetAside: that was the last attempt, or there were that many before.
            ModelNotFound, RequestsRefused, StoreError: nothing is wrong with the shard.
        """
        while (number := self.attempts.begin(self.name, shard)) is not None:
            try:
                return self.stage.run(shard, on_progress)
            except Exception as error:
                if not _lies_in_the_shard(error):
                    self.attempts.withdraw(self.name, shard, number)
                    raise
                self.attempts.fail(self.name, shard, number, error)
            except BaseException:
                self.attempts.withdraw(self.name, shard, number)
                raise
        raise ShardSetAside(f"shard {shard} is set aside after its attempts at the stage {self.name}")


def _lies_in_the_shard(error: Exception) -> bool:
    if isinstance(error, StoreError):
        return isinstance(error, CorruptShard | ObjectMissing | ShardConflict)
    return not isinstance(error, ModelNotFound | RequestsRefused)
