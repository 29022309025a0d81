"""A shard that always fails is tried a bounded number of times; what is wrong with everything is told at once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.contracts import ModelNotFound, ProgressCallback
from storage.attempts import Attempts
from storage.errors import StoreUnreachable
from storage.layout import DatasetRef
from storage.local import LocalStore
from tasks.engine.bounded import Bounded, ShardSetAside
from tests.tasks.engine.toy import NoteStage

Raise = Callable[[int], None]


class Raising(NoteStage):
    """Writes its notes, but for shards at which it raises what `errors` holds, one at each attempt."""

    def __init__(self, store: LocalStore, errors: dict[int, list[BaseException]]) -> None:
        super().__init__("note", store)
        self.errors, self.tried = errors, list[int]()

    def run(self, shard: int, on_progress: ProgressCallback | None = None) -> None:
        self.tried.append(shard)
        if self.errors.get(shard):
            raise self.errors[shard].pop(0)
        super().run(shard, on_progress)


def bounded(store: LocalStore, ref: DatasetRef, errors: dict[int, list[BaseException]]) -> tuple[Bounded, Raising]:
    stage = Raising(store, errors)
    return Bounded(stage, Attempts(store, ref)), stage


def test_a_shard_that_fails_twice_is_done_at_the_third_attempt(local_store: LocalStore, ref: DatasetRef) -> None:
    stage, inner = bounded(local_store, ref, {0: [ValueError("a"), ValueError("b")]})
    stage.run(0)
    assert inner.tried == [0, 0, 0]
    assert stage.missing(local_store) == [1, 2, 3]
    assert stage.attempts.found() == []


def test_a_shard_that_always_raises_is_set_aside_and_never_tried_again(
    local_store: LocalStore, ref: DatasetRef
) -> None:
    stage, inner = bounded(local_store, ref, {1: [ValueError(str(n)) for n in range(9)]})
    for _ in range(2):
        with pytest.raises(ShardSetAside, match=r"shard 1 .* the stage note"):
            stage.run(1)
    assert inner.tried == [1, 1, 1]
    assert [str(record) for record in stage.attempts.found()] == ["shard 1 (note: ValueError: 2)"]


@pytest.mark.parametrize("error", [ModelNotFound("no such model"), StoreUnreachable("down"), KeyboardInterrupt()])
def test_what_lies_not_in_the_shard_ends_the_run_and_counts_as_no_attempt(
    local_store: LocalStore, ref: DatasetRef, error: BaseException
) -> None:
    stage, inner = bounded(local_store, ref, {1: [error] * 5})
    for _ in range(5):
        with pytest.raises(type(error)):
            stage.run(1)
    assert inner.tried == [1] * 5
    stage.run(1)
    assert stage.attempts.found() == []
