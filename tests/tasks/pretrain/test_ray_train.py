"""Workers of Ray Train train as one process does, on a Ray of their own and on a cluster."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from storage.objects import ObjectStore
from tasks.engine.placement import NoRoom
from tasks.pretrain.arms import Arm, Draw, Trial
from tasks.pretrain.corpus import load_corpus
from tasks.pretrain.ranks import RankFailed
from tasks.pretrain.ray_train import ray_problems, train_on_ray
from tasks.pretrain.state import TrialState
from tasks.pretrain.train import train_on
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection
from tests.models.vlp.made_up import TRANSFORMER, model_folder

STEPS = 6


@pytest.fixture
def section(tmp_path: Path) -> TrainSection:
    """A few steps of batches of 8 in two workers, on towers with layer norm and without dropout."""
    return TrainSection(
        model=model_folder(tmp_path, TRANSFORMER), samples_seen=8 * STEPS, batch=8, threads=2, processes=2,
        device="cpu", launcher="ray", save_steps=2, save_minutes=None,
    )  # fmt: skip


@pytest.fixture
def trial(real: Draw, section: TrainSection) -> Trial:
    arm = Arm(name="real", mix=(real.model_copy(update={"pairs": 48}),), samples_seen=section.samples_seen)
    return Trial(arm=arm, objective=KindSpec(kind="clip"), seed=6)


@pytest.mark.engine
def test_two_workers_train_as_one_process_does(store: ObjectStore, trial: Trial, section: TrainSection) -> None:
    alone = train_on(load_corpus(store, trial.arm, section, trial.seed), trial, section)
    seen: list[int] = []
    before = signal.getsignal(signal.SIGTERM)
    both = train_on_ray(trial, section, store, on_step=lambda step, _: seen.append(step))
    assert seen == list(range(1, STEPS + 1))
    assert both.losses == pytest.approx(alone.losses, abs=1e-4)
    assert (both.steps, both.equal_text_rows) == (alone.steps, alone.equal_text_rows)
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a cluster of one machine with one CPU."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        assert made.address is not None
        yield made.address
        made.shutdown()


@pytest.mark.engine
def test_a_training_whose_worker_on_a_cluster_was_killed_goes_on_from_the_last_state(
    cluster: str, store: ObjectStore, trial: Trial, section: TrainSection
) -> None:
    section = section.model_copy(update={"ray_address": cluster, "samples_seen": 8 * 5 * STEPS})
    trial = trial.model_copy(update={"arm": trial.arm.model_copy(update={"samples_seen": section.samples_seen})})
    with pytest.raises(NoRoom, match=r"pretrain.processes is 2, each with a CPU, but the cluster has 1"):
        train_on_ray(trial, section, store)

    def kill(*_: object) -> None:
        if states.steps():
            for process in psutil.Process().children(recursive=True):
                if "RayTrainWorker" in process.name():
                    process.kill()

    states = TrialState(store, trial.fingerprint(section))
    alone = section.model_copy(update={"processes": 1})
    with pytest.raises(RankFailed, match=r"real, seed 6: the workers of Ray Train ended early .* goes on"):
        train_on_ray(trial, alone, store, on_step=kill)
    corpus = load_corpus(store, trial.arm, alone, trial.seed)
    seen: list[int] = []
    gone_on = train_on(corpus, trial, alone, states=states, on_step=lambda step, _: seen.append(step))
    assert seen[0] > 1
    assert gone_on.losses == pytest.approx(train_on(corpus, trial, alone).losses, abs=1e-5)


@pytest.mark.parametrize(
    ("fields", "managed", "torchrun", "where"),
    [
        ({}, True, False, []),
        ({}, False, True, ["pretrain.launcher"]),
        ({"device": "cuda:1"}, False, False, ["pretrain.device"]),
        ({"ray_address": "head:6379"}, True, False, ["storage.root"]),
        ({"ray_address": "head:6379"}, False, False, []),
    ],
)
def test_what_ray_cannot_train_is_named(
    fields: dict[str, object], managed: bool, torchrun: bool, where: list[str]
) -> None:
    section = TrainSection.model_validate({"launcher": "ray", **fields})
    found = list(ray_problems(section, managed, torchrun))
    assert [line.partition(":")[0] for line in found] == where


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"ray_address": "head:6379"}, "ray_address is for launcher ray"),
        ({"launcher": "ray", "ray_address": "auto"}, "ray_address"),
    ],
)
def test_an_address_names_one_cluster_and_goes_with_ray(fields: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        TrainSection.model_validate(fields)
