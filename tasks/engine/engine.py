"""What an engine does: take shards through the stages, each as far as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from models.contracts import ProgressCallback
from tasks.engine.stage import Stage

Lacking = Mapping[str, frozenset[int]]
"""Which shards lack a stage, by the stage's name; others pass it by."""
Step = Callable[[str, str, Callable[[], None]], None]
"""Runs a call as a step that a flow shows: its kind, its name, and the call; what that raises goes through."""


@dataclass(frozen=True, slots=True)
class Left:
    """A shard that has left the stages: `aside` is the stage that set it aside, None where all are done."""

    shard: int
    aside: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """The shards to take through the stages.

    Args:
        shards: in their order.
        lacking: which of them lack which stage.
        step: shows what is done.
        progress: gives a callback for what happens within a shard, where an engine can tell.
    """

    shards: Sequence[int]
    lacking: Lacking
    step: Step
    progress: Callable[[int], ProgressCallback | None]


class Engine(Protocol):
    """Takes shards through stages whose names and order it was opened with."""

    stages: tuple[Stage, ...]

    def run(self, work: Round) -> Iterator[Left]:
        """Take every shard through the stages that it lacks; the shards as they leave, in any order.

        A stage that raises `ShardSetAside` ends its shard's way; anything else that one raises ends the run.
        """
        ...
