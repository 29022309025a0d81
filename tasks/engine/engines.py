"""Engines: where stages run. `inline` is this process; `ray` keeps a pool of warm workers for each stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from tasks.engine.pool import Engine, Pool
from tasks.engine.stage import Stage


@contextmanager
def open_engine(kind: Literal["inline", "ray"], stages: Sequence[Stage]) -> Iterator[Engine]:
    """An engine with a pool for each stage, whose workers end with it.

    Raises:
        NoRoom: the cluster cannot hold one worker of a stage.
    """
    if kind == "ray":
        from tasks.engine.ray_pool import ray_engine

        with ray_engine(stages) as engine:
            yield engine
        return
    yield Engine(tuple(Pool(stage, 1, stage.run, lambda: None) for stage in stages))
