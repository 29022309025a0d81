"""What an engine runs: a stage of the work on a shard, and what one worker of it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from models.contracts import ProgressCallback
from storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Resources:
    """The workers of a stage on a cluster, and what one of them holds for as long as it lives.

    Args:
        gpus: the GPUs of its tensor-parallel group, all of one machine; a fraction shares one GPU with others.
        or_cpu: on a cluster without a GPU it runs on the CPU; False refuses that.
        cpus: CPU cores.
        memory: bytes of main memory; None reserves none.
        least: workers that must find a place; the stage begins with them.
        most: workers that it grows to while there is room; None is no bound.
        node: a resource of the cluster by which machines say that they can run the stage, one for each worker, such
            as those of an image of their own; None is any machine.
        runtime_env: what Ray starts the worker with, such as another interpreter; never a secret, as Ray logs it.
    """

    gpus: float = 0
    or_cpu: bool = True
    cpus: float = 1
    memory: int | None = None
    least: int = 1
    most: int | None = None
    node: str | None = None
    runtime_env: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Stage(Protocol):
    """A part of the work on a shard, whose outcome is in the store. It is pickled to where its workers run.

    A stage that is asked twice for a shard, or by two workers at once, leaves one outcome: publishing is create-only.
    Models load at the first shard, so that a shard's attempt is noted before anything heavy happens.
    """

    @property
    def name(self) -> str:
        """A short word, such as ``images``."""
        ...

    @property
    def resources(self) -> Resources:
        """What one worker needs."""
        ...

    def missing(self, store: ObjectStore) -> Sequence[int]:
        """The shards that lack this stage, in order; what the stages before it have done does not matter."""
        ...

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        """Do the work on a shard whose earlier stages are done; one that is done already is left alone."""
        ...
