"""Stages run where an engine puts them, each with workers of its own, and an engine knows none of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from models.contracts import ModelNotFound, ProgressCallback
from storage.attempts import Attempts
from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.local import LocalStore
from storage.objects import ObjectStore
from tasks.engine.bounded import Bounded
from tasks.engine.engine import Left, Round
from tasks.engine.engines import open_engine
from tasks.engine.placement import NoRoom
from tasks.engine.ray_engine import ClusterUnreachable, RayEngine
from tasks.engine.stage import Resources, Stage
from tests.making import Making, fast_recipe
from tests.tasks.engine.toy import NoteStage

REF = DatasetRef("notes", "v1")


class Steps(list[str]):
    """Notes the name of every step and runs it; what it raises goes through."""

    def __call__(self, kind: str, name: str, call: Callable[[], None]) -> None:
        assert name.startswith(kind.removesuffix("s"))
        self.append(name)
        call()


def round_of(stages: Sequence[Stage], store: ObjectStore, shards: Sequence[int], steps: Steps | None = None) -> Round:
    lacking = {stage.name: frozenset(stage.missing(store)) for stage in stages}
    return Round(shards, lacking, steps if steps is not None else Steps(), lambda _: None)


@pytest.fixture
def stages(local_store: LocalStore) -> list[NoteStage]:
    return [NoteStage("first", local_store), NoteStage("second", local_store, after="first")]


def test_inline_runs_any_stage_in_this_process(stages: list[NoteStage], local_store: LocalStore) -> None:
    steps, told = Steps(), list[str]()

    def progress(shard: int) -> ProgressCallback:
        return lambda stage, *_: told.append(f"{shard} {stage}")

    with open_engine("inline", stages) as engine:
        stages[0].run(1)
        work = round_of(stages, local_store, range(3), steps)
        work = Round(work.shards, work.lacking, steps, progress)
        assert list(engine.run(work)) == [Left(0), Left(1), Left(2)]
    assert steps == ["first-00000", "second-00000", "second-00001", "first-00002", "second-00002"]
    assert told == ["0 first", "0 second", "1 second", "2 first", "2 second"]
    assert stages[0].writers() == {str(os.getpid())}


def test_inline_goes_on_where_a_stage_sets_a_shard_aside(local_store: LocalStore) -> None:
    attempts = Attempts(local_store, REF)
    stages = [
        Bounded(NoteStage("first", local_store, fails_at=1), attempts),
        Bounded(NoteStage("second", local_store, after="first"), attempts),
    ]
    with open_engine("inline", stages) as engine:
        assert list(engine.run(round_of(stages, local_store, range(3)))) == [Left(0), Left(1, "first"), Left(2)]
    assert stages[1].missing(local_store) == [1, 3]


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a real Ray cluster on this machine: three CPUs to give away and no GPU."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 3, "num_gpus": 0, "resources": {"special": 1}, "include_dashboard": False}
        made = Cluster(initialize_head=True, head_node_args=head)
        assert made.address is not None
        yield made.address
        made.shutdown()


def on_ray(test: Callable[..., None]) -> Callable[..., None]:
    """A test that needs a real Ray, and the time that it takes to start."""
    return pytest.mark.engine(pytest.mark.timeout(280)(test))


@on_ray
def test_each_stage_has_workers_of_its_own_and_a_killed_one_comes_back(local_store: LocalStore, cluster: str) -> None:
    attempts = Attempts(local_store, REF)
    toys = [
        NoteStage("first", local_store, Resources(least=2), dies_at=2),
        NoteStage("second", local_store, Resources(node="special"), after="first"),
    ]
    stages, steps = [Bounded(stage, attempts) for stage in toys], Steps()
    with open_engine("ray", stages, cluster) as engine:
        assert isinstance(engine, RayEngine)
        assert engine.together
        left = list(engine.run(round_of(stages, local_store, range(4), steps)))
        assert sorted(one.shard for one in left) == [0, 1, 2, 3]
        again = round_of(stages, local_store, range(4), steps)
        assert [one.shard for one in engine.run(again)] == [0, 1, 2, 3], "no actor starts where all is done"
    assert sorted(steps) == [f"shard-{shard:05d}" for shard in range(4)]
    assert local_store.head("died") is not None
    assert [stage.missing(local_store) for stage in stages] == [[], []]
    writers = [stage.writers() for stage in toys]
    assert len(writers[1]) == 1
    assert not writers[0] & writers[1]
    assert str(os.getpid()) not in writers[0] | writers[1]


@on_ray
def test_shards_that_kill_or_raise_are_set_aside_and_what_is_wrong_with_all_ends_the_run(
    local_store: LocalStore, cluster: str
) -> None:
    attempts = Attempts(local_store, REF)
    inner = NoteStage("first", local_store, fails_at=1, kills_at=3)
    stages = [Bounded(inner, attempts), Bounded(NoteStage("second", local_store, after="first"), attempts)]
    with open_engine("ray", stages, cluster) as engine:
        left = {one.shard: one.aside for one in engine.run(round_of(stages, local_store, range(4)))}
        assert left == {0: None, 1: "first", 2: None, 3: "first"}
        assert [(record.error, record.killed) for record in attempts.found()] == [
            ("ArithmeticError", 0),
            ("Killed", 3),
        ]
        assert stages[1].missing(local_store) == [1, 3]
    broken = [Bounded(NoteStage("third", local_store, refuses=True), attempts)]
    with (
        open_engine("ray", broken, cluster) as engine,
        pytest.raises(ModelNotFound, match="no weights"),
    ):
        list(engine.run(round_of(broken, local_store, range(4))))
    assert [record.stage for record in attempts.found()] == ["first", "first"]


@on_ray
def test_a_version_is_the_same_to_the_byte_as_one_made_inline(tmp_path: Path, cluster: str) -> None:
    recipe, ref = (
        fast_recipe("pairs=8", "shard_size=4", "images.generator.options={size: 64}"),
        DatasetRef("r", "v"),
    )
    here, there = Making(recipe, tmp_path / "here", ref), Making(recipe, tmp_path / "there", ref)
    here.run_all()
    with open_engine("ray", there.stages, cluster) as engine:
        assert len(list(engine.run(round_of(there.stages, there.store, range(2))))) == 2
    assert [*committed_shards(there.store, ref)] == [0, 1]
    for shard in (0, 1):
        for key in (ref.pairs(shard), ref.reports(shard), ref.rejects(shard)):
            assert here.store.get(key) == there.store.get(key)


@on_ray
def test_stages_that_do_not_fit_side_by_side_take_turns(local_store: LocalStore, cluster: str) -> None:
    stages: list[Stage] = [
        NoteStage("first", local_store, Resources(cpus=2)),
        NoteStage("second", local_store, Resources(cpus=2), after="first"),
    ]
    with open_engine("ray", stages, cluster) as engine:
        assert isinstance(engine, RayEngine)
        assert not engine.together
        assert len(list(engine.run(round_of(stages, local_store, range(4))))) == 4
    assert [stage.missing(local_store) for stage in stages] == [[], []]
    for need in (Resources(cpus=4), Resources(node="absent"), Resources(gpus=1, or_cpu=False)):
        with pytest.raises(NoRoom), open_engine("ray", [NoteStage("big", local_store, need)], cluster):
            pass


@on_ray
def test_a_cluster_that_does_not_answer_is_told_and_one_that_runs_here_is_not_joined(
    local_store: LocalStore, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.setenv("RAY_ADDRESS", cluster)
    with open_engine("ray", [NoteStage("first", local_store)]):
        assert ray.get_runtime_context().gcs_address != cluster
    with (
        pytest.raises(ClusterUnreachable, match=r"ray\.address: no Ray cluster answers at 127\.0\.0\.1:9"),
        open_engine("ray", [NoteStage("first", local_store)], "127.0.0.1:9"),
    ):
        pass


def test_opening_an_inline_engine_imports_no_ray() -> None:
    import subprocess

    code = "import sys, tasks.engine.engines, tasks.engine.ray_engine; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
