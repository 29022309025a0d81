"""What comes of the shards of a run, and whether it is worth going on."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from storage.attempts import Attempts
from tasks.engine.engine import Left

STOP_AFTER = 3
"""So many shards that are set aside while none gets done are a broken set-up, not broken shards."""
SET_ASIDE = 3
"""Exit code of a run that did all it could, with shards set aside."""
_NAMED = 10


class ShardsSetAside(RuntimeError):
    """A run did all it could, but shards are set aside; the message names them and the remedy."""

    exit_code = SET_ASIDE


class SetUpBroken(RuntimeError):
    """The first shards were all set aside and none got done; the message holds the last error."""


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

    def settle(self, left: Left) -> None:
        """Note that a shard has left the stages, done or set aside.

        Raises:
            SetUpBroken: it is worth no more.
        """
        shard = left.shard
        if left.aside is not None:
            self.aside[shard] = self.attempts.record(left.aside, shard)
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
