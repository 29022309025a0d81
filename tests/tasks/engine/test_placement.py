"""How a cluster is shared out among stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.local import LocalStore
from tasks.engine.placement import NoRoom, place
from tasks.engine.stage import Resources
from tests.tasks.engine.toy import NoteStage


def stages(*needs: Resources) -> list[NoteStage]:
    return [NoteStage(name, LocalStore(Path("unused")), need) for name, need in zip("ab", needs, strict=False)]


@pytest.mark.parametrize(
    ("group", "gpus", "workers", "together"),
    [
        (4, 8, [1, 4], True),
        (1, 8, [4, 4], True),
        (1, 2, [1, 1], True),
        (2, 3, [1, 1], True),
        (1, 3, [2, 1], True),
        (1, 1, [1, 1], False),
        (4, 4, [1, 4], False),
        (4, 0, [1, 1], True),
    ],
)
def test_every_stage_gets_a_worker_and_the_gpus_that_are_left_are_shared(
    group: int, gpus: int, workers: list[int], together: bool
) -> None:
    assert place(stages(Resources(gpus=group), Resources(gpus=1)), {"GPU": gpus, "CPU": 64}) == (workers, together)


def test_a_fraction_lets_two_stages_share_one_gpu() -> None:
    assert place(stages(Resources(gpus=0.5), Resources(gpus=0.5)), {"GPU": 1, "CPU": 4}) == ([1, 1], True)


def test_a_number_of_workers_that_is_asked_for_is_kept() -> None:
    assert place(stages(Resources(gpus=1, workers=2), Resources(gpus=1)), {"GPU": 8, "CPU": 64}) == ([2, 6], True)
    assert place(stages(Resources(workers=3), Resources()), {"GPU": 0, "CPU": 8}) == ([3, 1], True)


def test_cpus_bound_the_workers_too() -> None:
    assert place(stages(Resources(gpus=1, cpus=4), Resources(gpus=1, cpus=4)), {"GPU": 8, "CPU": 13}) == ([2, 1], True)


def test_stages_whose_cpus_do_not_suffice_for_both_take_turns() -> None:
    assert place(stages(Resources(cpus=2), Resources(cpus=2)), {"GPU": 0, "CPU": 2}) == ([1, 1], False)


@pytest.mark.parametrize("need", [Resources(gpus=4), Resources(cpus=9), Resources(gpus=1, workers=3)])
def test_a_stage_that_the_cluster_cannot_hold_is_refused_with_what_it_needs(need: Resources) -> None:
    with pytest.raises(NoRoom, match=r"workers of the stage a need \d .PU, but the cluster has [28]: .*a\.resources"):
        place(stages(need), {"GPU": 2, "CPU": 8})


def test_a_kind_of_machine_that_the_cluster_lacks_is_told_with_how_to_start_one() -> None:
    asking = stages(Resources(), Resources(node="xformers", workers=2))
    assert place(asking, {"CPU": 8, "xformers": 2}) == ([1, 2], True)
    with pytest.raises(NoRoom, match=r"""stage b need 2 xformers, .* has 1: .*--resources='{"xformers": 2}'"""):
        place(asking, {"CPU": 8, "xformers": 1})


def test_no_more_workers_than_machines_of_their_kind() -> None:
    asking = stages(Resources(gpus=1), Resources(gpus=1, node="xformers"))
    assert place(asking, {"CPU": 64, "GPU": 8, "xformers": 2}) == ([6, 2], True)


def test_memory_counts_too() -> None:
    asking = stages(Resources(memory=4), Resources(memory=5))
    assert place(asking, {"CPU": 8, "memory": 9})[1]
    assert not place(asking, {"CPU": 8, "memory": 8})[1]
