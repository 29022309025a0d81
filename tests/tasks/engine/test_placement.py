"""A cluster holds the workers that are asked for, at once or in turn, or the largest number that it holds is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.local import LocalStore
from tasks.engine.placement import Amounts, NoRoom, fit_to, place
from tasks.engine.stage import Resources
from tests.tasks.engine.toy import NoteStage


def stages(*needs: Resources) -> list[NoteStage]:
    return [NoteStage(name, LocalStore(Path("unused")), need) for name, need in zip("ab", needs, strict=False)]


def boxes(*gpus: float) -> list[Amounts]:
    """Machines of eight cores."""
    return [{"CPU": 8, "GPU": held} for held in gpus]


@pytest.mark.parametrize(
    ("group", "nodes", "together"),
    [
        (4, boxes(8), True),
        (1, boxes(2), True),
        (2, boxes(3), True),
        (1, boxes(1), False),
        (4, boxes(4), False),
        (4, boxes(4, 1), True),
        (4, boxes(0), True),
    ],
)
def test_stages_work_side_by_side_where_a_worker_of_each_finds_a_place(
    group: int, nodes: list[Amounts], together: bool
) -> None:
    assert place(stages(Resources(gpus=group), Resources(gpus=1)), nodes) == together


def test_a_group_of_gpus_is_of_one_machine() -> None:
    two = Resources(gpus=2, least=2)
    assert place(stages(two), boxes(3, 3))
    for nodes in (boxes(3), boxes(1, 1, 1, 1)):
        with pytest.raises(NoRoom):
            place(stages(two), nodes)


@pytest.mark.parametrize(
    ("need", "held"),
    [
        (Resources(gpus=1, least=5), 4),
        (Resources(gpus=3, least=2), 0),
        (Resources(cpus=4, least=9), 4),
        (Resources(gpus=0.5, least=9), 8),
        (Resources(memory=1, least=1), 0),
    ],
)
def test_more_workers_than_fit_are_refused_with_the_largest_number_that_does(need: Resources, held: int) -> None:
    remedy = rf"set workers\.a\.least to {held}" if held else r"lower what workers\.a asks for"
    with pytest.raises(NoRoom, match=rf"a\.least is {need.least}, but the cluster holds at most {held} .*{remedy}"):
        place(stages(need), boxes(2, 2))
    if held:
        larger = Resources(need.gpus, True, need.cpus, least=held)
        assert place(stages(larger), boxes(2, 2))


def test_fractions_that_do_not_add_up_in_binary_still_do() -> None:
    assert place(stages(Resources(gpus=0.1, cpus=0.1, least=10)), boxes(1))


def test_gpus_that_are_asked_for_are_not_replaced_by_a_cpu() -> None:
    assert fit_to(Resources(gpus=2), boxes(0)).gpus == 0
    with pytest.raises(NoRoom, match="2 GPU"):
        place(stages(Resources(gpus=2, or_cpu=False)), boxes(0))


def test_a_kind_of_machine_that_the_cluster_lacks_is_told_with_how_to_start_one() -> None:
    asking = stages(Resources(), Resources(node="xformers", least=2))
    assert place(asking, [{"CPU": 8, "xformers": 2}])
    with pytest.raises(NoRoom, match=r"""b\.least is 2.* at most 1 .*--resources='{"xformers": 2}'"""):
        place(asking, [{"CPU": 8, "xformers": 1}])


def test_memory_counts_too() -> None:
    asking = stages(Resources(memory=4), Resources(memory=5))
    assert place(asking, [{"CPU": 8, "memory": 9}])
    assert not place(asking, [{"CPU": 8, "memory": 8}])
