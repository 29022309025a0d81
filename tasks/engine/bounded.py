"""A bound on how often a stage tries a shard: one that kills or always raises is set aside, and the others go on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from models.contracts import ModelNotFound, ProgressCallback, RequestsRefused
from storage.attempts import Attempts
from storage.errors import CorruptShard, ObjectMissing, ShardConflict, StoreError
from storage.objects import ObjectStore
from tasks.engine.stage import Resources, Stage

STOP_AFTER = 3
"""So many shards that are set aside while none gets done are a broken set-up, not broken shards."""
SET_ASIDE = 3
"""Exit code of a run that did all it could, with shards set aside."""
_NAMED = 10


class ShardSetAside(RuntimeError):
    """A shard had all its attempts; the store holds what is known of it."""


class ShardsSetAside(RuntimeError):
    """A run did all it could, but shards are set aside; the message names them and the remedy."""

    exit_code = SET_ASIDE


class SetUpBroken(RuntimeError):
    """The first shards were all set aside and none got done; the message holds the last error."""


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


class Watch:
    """What comes of the shards of a run: which are done, which are set aside, and whether it is worth going on.

    Args:
        attempts: where attempts are noted.
        shards: what the run is to do, in order; those that were set aside before are left out.
        lacking: those of them that lack a stage.
    """

    def __init__(self, attempts: Attempts, shards: Sequence[int], lacking: Collection[int]) -> None:
        self.attempts = attempts
        held = {*shards} & {*lacking}
        self.aside = {record.shard: record for record in attempts.found() if record.shard in held}
        self.shards = [shard for shard in shards if shard not in self.aside]
        self._left = held - {*self.aside}
        self._failed: list[int] = []
        self.done = 0

    def set_aside(self, stage: str, shard: int) -> None:
        """Learn from the store what is known of a shard that was just set aside."""
        self.aside[shard] = self.attempts.record(stage, shard)

    def settle(self, shard: int) -> None:
        """Note that a shard has left the stages, done or set aside.

        Raises:
            SetUpBroken: it is worth no more.
        """
        if shard not in self._left:  # it was done before
            return
        self._left.remove(shard)
        if shard not in self.aside:
            self.done += 1
            return
        self._failed.append(shard)
        if len(self._failed) >= STOP_AFTER and not self.done and self._left:
            last = self.aside[shard]
            raise SetUpBroken(
                f"the first {len(self._failed)} shards failed in all their attempts and none got done, so the other "
                f"{len(self._left)} are not tried. The last one: {last.stage}: {last.error}: {last.message}. "
                f"Mend that, then `synth retry {_named(self.attempts)}`"
            )

    def check(self) -> None:
        """See that no shard is set aside.

        Raises:
            ShardsSetAside: some are.
        """
        if not self.aside:
            return
        records = [self.aside[shard] for shard in sorted(self.aside)]
        more = f" and {len(records) - _NAMED} more" if len(records) > _NAMED else ""
        raise ShardsSetAside(
            f"{len(records)} {'shard is' if len(records) == 1 else 'shards are'} set aside after their attempts: "
            f"{'; '.join(map(str, records[:_NAMED]))}{more}. {self.done} others were done, and nothing is published: "
            f"`synth status {_named(self.attempts)}` shows them, `synth retry {_named(self.attempts)}` gives them "
            "their attempts again"
        )


def _named(attempts: Attempts) -> str:
    return f"{attempts.ref.name}@{attempts.ref.version}"
