"""Stages run where an engine puts them, each with workers of its own, and an engine knows none of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.local import LocalStore
from tasks.engine.engines import open_engine
from tasks.engine.placement import NoRoom
from tasks.engine.ray_pool import environment_for
from tasks.engine.stage import Resources, Stage
from tests.making import Making, fast_recipe
from tests.tasks.engine.toy import NoteStage


@pytest.fixture
def stages(local_store: LocalStore) -> list[NoteStage]:
    return [NoteStage("first", local_store), NoteStage("second", local_store, after="first")]


def test_inline_runs_any_stage_in_this_process(stages: list[NoteStage], local_store: LocalStore) -> None:
    told: list[str] = []
    with open_engine("inline", stages) as engine:
        assert engine.overlap == "shards"
        for shard in range(4):
            for pool in engine.pools:
                pool.run(shard, lambda stage, *_: told.append(stage))
    assert told == ["first", "second"] * 4
    assert [stage.missing(local_store) for stage in stages] == [[], []]
    assert stages[0].writers() == {str(os.getpid())}


def test_a_worker_takes_the_keys_that_its_stage_names_and_no_others() -> None:
    found = environment_for(
        Resources(variables=("MY_KEY",)),
        {"AWS_REGION": "x", "SYNTHCXR_HOME": "/h", "MY_KEY": "k", "OTHER_KEY": "o", "PATH": "/bin"},
    )
    assert found == {"AWS_REGION": "x", "SYNTHCXR_HOME": "/h", "MY_KEY": "k"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A real Ray on this machine, with three CPUs to give away and no GPU."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(num_cpus=3, num_gpus=0, resources={"special": 1}, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


def on_ray(test: Callable[..., None]) -> Callable[..., None]:
    """Give a test a real Ray, and the time that it takes to start."""
    return pytest.mark.engine(pytest.mark.timeout(280)(pytest.mark.usefixtures("cluster")(test)))


@on_ray
def test_each_stage_has_workers_of_its_own_and_a_killed_one_comes_back(local_store: LocalStore) -> None:
    stages = [
        NoteStage("first", local_store, Resources(workers=2), dies_at=2),
        NoteStage("second", local_store, Resources(node="special"), after="first"),
    ]
    with open_engine("ray", stages) as engine:
        assert engine.overlap == "stages"
        assert [pool.parallel for pool in engine.pools] == [2, 1]
        for shard in range(4):
            for pool in engine.pools:
                pool.run(shard, None)
    assert local_store.head("died") is not None
    assert [stage.missing(local_store) for stage in stages] == [[], []]
    writers = [stage.writers() for stage in stages]
    assert len(writers[1]) == 1
    assert not writers[0] & writers[1]
    assert str(os.getpid()) not in writers[0] | writers[1]


@on_ray
def test_a_version_is_the_same_to_the_byte_as_one_made_inline(tmp_path: Path) -> None:
    recipe, ref = (
        fast_recipe("pairs=8", "shard_size=4", "images.generator.options={size: 64}"),
        DatasetRef("r", "v"),
    )
    here, there = Making(recipe, tmp_path / "here", ref), Making(recipe, tmp_path / "there", ref)
    here.run_all()
    with open_engine("ray", there.stages) as engine:
        for pool in engine.pools:
            for shard in pool.stage.missing(there.store):
                pool.run(shard, None)
    assert [*committed_shards(there.store, ref)] == [0, 1]
    for shard in (0, 1):
        for key in (ref.pairs(shard), ref.reports(shard), ref.rejects(shard)):
            assert here.store.get(key) == there.store.get(key)


@on_ray
def test_stages_that_do_not_fit_side_by_side_take_turns(local_store: LocalStore) -> None:
    stages: list[Stage] = [
        NoteStage("first", local_store, Resources(cpus=2)),
        NoteStage("second", local_store, Resources(cpus=2), after="first"),
    ]
    with open_engine("ray", stages) as engine:
        assert engine.overlap == "none"
        for pool in engine.pools:
            for shard in range(4):
                pool.run(shard, None)
            pool.close()
    assert [stage.missing(local_store) for stage in stages] == [[], []]
    for need in (Resources(cpus=4), Resources(node="absent")):
        with pytest.raises(NoRoom), open_engine("ray", [NoteStage("big", local_store, need)]):
            pass
