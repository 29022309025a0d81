"""The engine `inline`: this process takes one shard after another through all stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.engine.bounded import ShardSetAside
from tasks.engine.engine import Left, Round
from tasks.engine.stage import Stage


class InlineEngine:
    """Runs everything here and now (protocol `tasks.engine.engine.Engine`)."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self.stages = tuple(stages)

    def run(self, work: Round) -> Iterator[Left]:
        """See `tasks.engine.engine.Engine`; a step for each shard and stage."""
        for shard in work.shards:
            yield Left(shard, self._through(work, shard))

    def _through(self, work: Round, shard: int) -> str | None:
        """Take a shard through the stages; the one that set it aside."""
        for stage in self.stages:
            if shard not in work.lacking[stage.name]:
                continue
            try:
                work.step(
                    stage.name,
                    f"{stage.name}-{shard:05d}",
                    lambda stage=stage: stage.run(shard, work.progress(shard)),
                )
            except ShardSetAside:
                return stage.name
        return None
