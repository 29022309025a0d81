"""What an engine runs: a stage of the work on a shard, and what one worker of it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from models.contracts import ProgressCallback
from storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Resources:
    """What one worker of a stage holds for as long as it lives.

    Args:
        gpus: the GPUs of its tensor-parallel group, all of one machine; a fraction shares one GPU with others. It
            counts where the cluster has GPUs, and runs on the CPU where it has none.
        cpus: CPU cores.
        memory: bytes of main memory; None reserves none.
        workers: how many workers there are; None is as many as the GPUs allow, and one without GPUs.
        variables: names of environment variables that the worker takes from the process that starts it, beside
            those of the store.
        python: the interpreter that the worker runs with, such as one that has diffusers and xformers but no vLLM;
            None is the one that runs this.
        node: a resource of the cluster by which machines say that they can run the stage, one for each worker, such
            as those of an image of their own; None is any machine.
    """

    gpus: float = 0
    cpus: float = 1
    memory: int | None = None
    workers: int | None = None
    variables: tuple[str, ...] = ()
    python: str | None = None
    node: str | None = None


class Stage(Protocol):
    """A part of the work on a shard, whose outcome is in the store. It is pickled to where its workers run.

    A stage that is asked twice for a shard, or by two workers at once, leaves one outcome: publishing is create-only.
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
