"""A pool of workers for each stage, and how the pools of an engine work together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from models.contracts import ProgressCallback
from tasks.engine.stage import Stage


@dataclass(frozen=True, slots=True)
class Pool:
    """The workers of one stage.

    Args:
        stage: what they run.
        parallel: how many shards they work on at once.
        run: has one of them work on a shard, and waits for it.
        close: ends them; `run` starts new ones.
    """

    stage: Stage
    parallel: int
    run: Callable[[int, ProgressCallback | None], None]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Engine:
    """A pool for each stage, in the stages' order.

    Args:
        pools: see there.
        overlap: ``shards`` where one shard goes through all stages before the next begins, ``stages`` where a stage
            works on one shard while the next stage works on another, and ``none`` where the machines hold the
            workers of one stage at a time: it does all shards before the next stage begins.
    """

    pools: tuple[Pool, ...]
    overlap: Literal["shards", "stages", "none"] = "shards"
