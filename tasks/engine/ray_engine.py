"""The engine `ray`: Ray Data streams shard numbers through actors of each stage, which stay warm.

Ray restarts an actor that dies and gives its shard to it, or to another, without end; attempts that are noted in the
store (`tasks.engine.bounded`) are what bounds that. Actors grow from the least to the most that a stage asks for as
machines join. A shard that is run twice is harmless: publishing is create-only.

No secret goes with a stage: the keys of the store and of the model hub are read from the environment or the files of
the machine that an actor runs on.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psutil

from tasks.engine.bounded import ShardSetAside
from tasks.engine.engine import Left, Round
from tasks.engine.placement import Amounts, fit_to, place
from tasks.engine.reaper import reaped
from tasks.engine.stage import Stage

if TYPE_CHECKING:
    from ray.data import Dataset

_PATIENCE = 20.0
"""Seconds for a cluster's head to answer."""
Row = dict[str, Any]
"""``shard``, ``lacks`` (names of stages, with commas), ``aside`` (the stage that set it aside) and ``error``."""


class ClusterUnreachable(RuntimeError):
    """Nothing answers at the address of a cluster."""


@contextmanager
def ray_engine(stages: Sequence[Stage], address: str | None) -> Iterator[RayEngine]:
    """Join the cluster at `address`, or start one on this machine, and leave it at the end.

    Without an address a cluster that happens to run here, or that ``RAY_ADDRESS`` names, is not joined.

    Raises:
        NoRoom: the cluster cannot hold the least workers of a stage.
        ClusterUnreachable: nothing answers at the address.
    """
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet = {"log_to_driver": False, "logging_level": logging.WARNING}
    before = _children()
    with own_sigterm():
        if address is None:
            ray.init(address="local", include_dashboard=False, **quiet)
        else:
            _check_answers(address)
            ray.init(address=address, **quiet)
    with reaped(_children() - before) if address is None else nullcontext():
        try:
            yield RayEngine(stages, [node["Resources"] for node in ray.nodes() if node["Alive"]])
        finally:
            ray.shutdown()


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@contextmanager
def own_sigterm() -> Iterator[None]:
    """Keep this process's handler of SIGTERM, which joining a cluster replaces."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _check_answers(address: str) -> None:
    """See that something listens at an address, as Ray would wait for minutes.

    Raises:
        ClusterUnreachable: nothing does.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise ClusterUnreachable(
            f"ray.address: no Ray cluster answers at {address} ({error}): start one there with `ray start --head`, or "
            "leave it empty for this machine"
        ) from error


class RayEngine:
    """Streams shards through actors on a cluster (protocol `tasks.engine.engine.Engine`).

    Args:
        stages: in their order.
        nodes: what each machine of the cluster has.

    Attributes:
        together: whether all stages work side by side; else one does all shards before the next begins.
    """

    def __init__(self, stages: Sequence[Stage], nodes: Sequence[Amounts]) -> None:
        self.stages, self._nodes = tuple(stages), nodes
        self.together = place(stages, nodes)

    def run(self, work: Round) -> Iterator[Left]:
        """See `tasks.engine.engine.Engine`; a step for each shard, when it has left."""
        passes = [self.stages] if self.together else [(stage,) for stage in self.stages]
        lacking = frozenset[int]().union(*work.lacking.values())
        aside: dict[int, str] = {}
        for stages in passes:
            last = stages[-1] is self.stages[-1]
            for left in self._pass(work, stages, [shard for shard in work.shards if shard not in aside]):
                if left.aside is not None:
                    aside[left.shard] = left.aside
                if not last and left.aside is None:
                    continue
                if left.shard in lacking:
                    with suppress(ShardSetAside):  # which the step shows
                        work.step("shards", f"shard-{left.shard:05d}", lambda left=left: _show(left))
                yield left

    def _pass(self, work: Round, stages: Sequence[Stage], shards: Sequence[int]) -> Iterator[Left]:
        """Take shards through some stages; those that lack none of them at once."""
        lacks = {shard: [stage.name for stage in stages if shard in work.lacking[stage.name]] for shard in shards}
        yield from (Left(shard) for shard in shards if not lacks[shard])
        rows = [_row(shard, lacks[shard]) for shard in shards if lacks[shard]]
        if not rows:
            return
        for row in self._stream(stages, rows).iter_rows():
            if row["error"]:
                raise pickle.loads(row["error"])
            yield Left(row["shard"], row["aside"] or None)

    def _stream(self, stages: Sequence[Stage], rows: list[Row]) -> Dataset:
        import ray.data

        worker: Any = StageWorker  # Ray's types know no classes
        logging.getLogger("ray.data").setLevel(logging.ERROR)  # else it warns of what is meant
        context = ray.data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        # Each worker has one shard, so it is at most 100 % busy, where Ray Data asks for 175 % before it adds one.
        context.autoscaling_config = replace(context.autoscaling_config, actor_pool_util_upscaling_threshold=1.0)
        context.execution_no_progress_timeout_s = -1  # a shard may take hours
        with ray.data.DataContext.current(context):
            data = ray.data.from_items(rows, override_num_blocks=len(rows))
            for stage in stages:
                data = data.map(worker, fn_constructor_args=(stage,), **self._options(stage))
        return data

    def _options(self, stage: Stage) -> dict[str, Any]:
        """The actors of a stage: how many there are and what each holds. Ray Data restarts them without end."""
        from ray.data import ActorPoolStrategy

        needs = fit_to(stage.resources, self._nodes)
        return {
            # One shard an actor: one that waits behind another could not go to an actor that joins.
            "compute": ActorPoolStrategy(min_size=needs.least, max_size=needs.most, max_tasks_in_flight_per_actor=1),
            "num_cpus": needs.cpus,
            "num_gpus": needs.gpus or None,
            "memory": needs.memory,
            "resources": {needs.node: 1} if needs.node else None,
            "runtime_env": dict(needs.runtime_env) or None,
        }


def _row(shard: int, lacks: Sequence[str]) -> Row:
    return {"shard": shard, "lacks": ",".join(lacks), "aside": "", "error": b""}


def _show(left: Left) -> None:
    """What a flow shows of a shard: done, or failed."""
    if left.aside is not None:
        raise ShardSetAside(f"shard {left.shard} is set aside after its attempts at the stage {left.aside}")


class StageWorker:
    """An actor of a stage. It loads nothing before its first shard, whose attempt is noted by then."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def __call__(self, row: Row) -> Row:
        """Do the stage's work on a shard that lacks it; what ends the whole run goes on in the row."""
        if row["aside"] or row["error"] or self._stage.name not in row["lacks"].split(","):
            return row
        try:
            self._stage.run(int(row["shard"]))
        except ShardSetAside:
            return {**row, "aside": self._stage.name}
        except Exception as error:
            return {**row, "error": _pickled(error)}
        return row


def _pickled(error: Exception) -> bytes:
    """An exception on its way to the driver; one that does not travel becomes its words."""
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return data
