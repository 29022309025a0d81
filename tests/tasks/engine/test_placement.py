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
    assert place(stages(Resources(gpus=group), Resources(gpus=1)), gpus, cpus=64) == (workers, together)


def test_a_fraction_lets_two_stages_share_one_gpu() -> None:
    assert place(stages(Resources(gpus=0.5), Resources(gpus=0.5)), 1, cpus=4) == ([1, 1], True)


def test_a_number_of_workers_that_is_asked_for_is_kept() -> None:
    assert place(stages(Resources(gpus=1, workers=2), Resources(gpus=1)), 8, cpus=64) == ([2, 6], True)
    assert place(stages(Resources(workers=3), Resources()), 0, cpus=8) == ([3, 1], True)


def test_cpus_bound_the_workers_too() -> None:
    assert place(stages(Resources(gpus=1, cpus=4), Resources(gpus=1, cpus=4)), 8, cpus=13) == ([2, 1], True)


def test_stages_whose_cpus_do_not_suffice_for_both_take_turns() -> None:
    assert place(stages(Resources(cpus=2), Resources(cpus=2)), 0, cpus=2) == ([1, 1], False)


@pytest.mark.parametrize("need", [Resources(gpus=4), Resources(cpus=9), Resources(gpus=1, workers=3)])
def test_a_stage_that_the_cluster_cannot_hold_is_refused_with_what_it_needs(need: Resources) -> None:
    with pytest.raises(NoRoom, match=r"workers of the stage a need .* but the cluster has 2 and 8: .*a\.resources"):
        place(stages(need), 2, cpus=8)
