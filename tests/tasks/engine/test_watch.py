"""A run does what it can: shards that are set aside are named at its end, a broken set-up ends it at once."""

from __future__ import annotations

import pytest

from storage.attempts import Attempts
from storage.layout import DatasetRef
from storage.local import LocalStore
from tasks.engine.engine import Left
from tasks.engine.watch import SetUpBroken, ShardsSetAside, Watch


def set_aside(attempts: Attempts, shard: int) -> None:
    while (number := attempts.begin("note", shard)) is not None:
        attempts.fail("note", shard, number, ValueError(f"at {shard}"))


def test_a_run_with_shards_set_aside_ends_with_their_names_and_the_remedy(
    local_store: LocalStore, ref: DatasetRef
) -> None:
    attempts = Attempts(local_store, ref)
    set_aside(attempts, 2)
    watch = Watch(attempts, range(8), {1, 2, 5, 6, 7})
    assert watch.shards == [0, 1, 3, 4, 5, 6, 7]
    for shard in watch.shards:
        if shard in (5, 6, 7):
            set_aside(attempts, shard)
        watch.settle(Left(shard, "note" if shard in (5, 6, 7) else None))
    with pytest.raises(ShardsSetAside) as raised:
        watch.check()
    text = str(raised.value)
    assert text.startswith("4 shards are set aside after their attempts: shard 2 (note: ValueError: at 2); shard 5")
    assert f"1 others were done, and nothing is published: `synth status {ref.name}@{ref.version}`" in text
    assert raised.value.exit_code == 3


def test_shards_that_fail_one_after_another_before_any_is_done_are_a_broken_set_up(
    local_store: LocalStore, ref: DatasetRef
) -> None:
    attempts = Attempts(local_store, ref)
    watch = Watch(attempts, range(8), range(1, 8))
    watch.settle(Left(0))  # done before this run
    for shard in (1, 2, 3):
        set_aside(attempts, shard)
    for shard in (1, 2):
        watch.settle(Left(shard, "note"))
    with pytest.raises(
        SetUpBroken, match=r"the first 3 shards failed .* other 4 .* note: ValueError: at 3\. .* retry"
    ):
        watch.settle(Left(3, "note"))


def test_a_record_of_a_shard_that_is_done_holds_nothing_up(local_store: LocalStore, ref: DatasetRef) -> None:
    attempts = Attempts(local_store, ref)
    set_aside(attempts, 2)
    watch = Watch(attempts, range(4), {0, 1, 3})
    for shard in watch.shards:
        watch.settle(Left(shard))
    watch.check()
    assert (watch.shards, watch.done) == ([0, 1, 2, 3], 3)
