"""Engines: where stages run. `inline` is this process; `ray` streams shards through warm workers of each stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from tasks.engine.engine import Engine
from tasks.engine.inline import InlineEngine
from tasks.engine.stage import Stage


@contextmanager
def open_engine(
    kind: Literal["inline", "ray"], stages: Sequence[Stage], address: str | None = None
) -> Iterator[Engine]:
    """An engine for these stages, whose workers end with it.

    Args:
        kind: which engine.
        stages: in their order.
        address: of a running cluster, ``HOST:PORT``, for `ray`; None starts one on this machine.

    Raises:
        NoRoom: the cluster cannot hold the least workers of a stage.
        ClusterUnreachable: nothing answers at the address.
    """
    if kind == "ray":
        from tasks.engine.ray_engine import ray_engine

        with ray_engine(stages, address) as engine:
            yield engine
        return
    yield InlineEngine(stages)
