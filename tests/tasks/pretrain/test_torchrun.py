"""What of torchrun's environment is read, and what the processes that it started cannot train."""

from __future__ import annotations

import pytest

from tasks.pretrain.torchrun import TorchrunRank, group_problems, torchrun_rank
from tasks.recipe.training import TrainSection

SECOND = {
    "TORCHELASTIC_RUN_ID": "x", "RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2",
    "TORCHELASTIC_RESTART_COUNT": "3",
}  # fmt: skip


def test_the_place_in_the_group_is_read_where_torchrun_started_several() -> None:
    assert torchrun_rank(SECOND) == TorchrunRank(number=1, size=4, here=2, attempt=3)
    assert torchrun_rank(SECOND | {"WORLD_SIZE": "1"}) is None
    assert torchrun_rank({name: value for name, value in SECOND.items() if "RUN_ID" not in name}) is None, (
        "processes that we start ourselves have the rest"
    )


@pytest.mark.parametrize(
    ("fields", "managed", "where"),
    [
        ({"batch": 32}, False, []),
        ({"batch": 34}, False, ["pretrain.batch"]),
        ({"batch": 32, "device": "cuda:1"}, False, ["pretrain.device"]),
        ({"batch": 32}, True, ["storage.root"]),
    ],
)
def test_what_the_group_cannot_train_is_named(fields: dict[str, object], managed: bool, where: list[str]) -> None:
    section = TrainSection.model_validate(fields)
    found = list(group_problems(TorchrunRank(0, 4, 2), section, managed))
    assert [line.partition(":")[0] for line in found] == where


def test_the_managed_store_serves_the_processes_of_one_machine() -> None:
    assert list(group_problems(TorchrunRank(0, 2, 2), TrainSection(), managed=True)) == []
