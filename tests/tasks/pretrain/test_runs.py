"""A run refers to its checkpoints by address, under a name that follows from what was asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef
from storage.local import LocalStore
from tasks.pretrain.arms import Trial
from tasks.pretrain.checkpoint import Checkpoint, CheckpointConflict, write_checkpoint
from tasks.pretrain.runs import check_sources, keep_trials, read_trials, run_name, trials_key
from tasks.recipe.profile import load_recipe
from tasks.recipe.training import TrainSection
from tests.tasks.pretrain.made import left_behind

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"
REF = DatasetRef("films", "v-1")
Plan = Callable[..., dict[str, Trial]]


def name(*changes: str) -> str:
    return run_name(REF, load_recipe("local", changes, PROFILES))


@pytest.mark.parametrize(
    "change", ["pretrain.threads=4", "pretrain.cache_megabytes=8", "pretrain.epochs=null", "engine=ray", "seed=0"]
)
def test_what_changes_no_result_leaves_the_name_of_the_run(change: str) -> None:
    assert name(change) == name()
    assert name().startswith("films-v-1-")


def test_a_run_is_found_under_the_name_it_had_before_fields_were_added() -> None:
    before = ("evaluate.tasks=[{kind: zero_shot}]", "sources.finetune=null", "sources.validation=null")
    assert name(*before) == "films-v-1-5703eee7"
    assert name(*before, "sources.finetune=phantom:b") != name(*before)


@pytest.mark.parametrize(
    "change",
    [
        "pretrain.only=[real]",
        "pretrain.epochs=2",
        "pretrain.optimiser=sgd",
        "pretrain.seeds=[1]",
        "pretrain.batch=16",
        "evaluate.bootstrap=10",
        "evaluate.confidence=0.9",
        "evaluate.comparisons=[[real, random]]",
        "sources.test.films=9",
        "curate.same_report=3",
    ],
)
def test_what_changes_a_table_is_another_run(change: str) -> None:
    assert name(change) != name()


@pytest.fixture
def trained(local_store: LocalStore, planned: Plan, section: TrainSection) -> list[tuple[Trial, Checkpoint]]:
    trials = [planned(section)[name] for name in ("real", "random")]
    return [(trial, write_checkpoint(local_store, left_behind(trial, section), trial, section)) for trial in trials]


def test_a_run_lists_its_trials_once(local_store: LocalStore, trained: list[tuple[Trial, Checkpoint]]) -> None:
    kept = keep_trials(local_store, "run", trained)
    assert read_trials(local_store, "run") == kept == keep_trials(local_store, "run", trained)
    assert [(item.arm, item.seed, item.step, item.pairs) for item in kept.trials] == [
        ("real", 0, 4, 96),
        ("random", 0, 0, 0),
    ]
    assert kept.trials[0].fingerprint == trained[0][1].fingerprint


def test_other_checkpoints_under_the_same_name_are_refused(
    local_store: LocalStore, trained: list[tuple[Trial, Checkpoint]]
) -> None:
    keep_trials(local_store, "run", trained[:1])
    with pytest.raises(CheckpointConflict, match="lists other checkpoints, such as for arm random"):
        keep_trials(local_store, "run", trained)


def test_a_run_without_a_list_says_what_to_do(local_store: LocalStore) -> None:
    with pytest.raises(ObjectMissing, match="pretrain first"):
        read_trials(local_store, "run")
    local_store.put(trials_key("run"), b'{"trials": 3}')
    with pytest.raises(CorruptShard, match=r"trials\.json is no list of trials"):
        read_trials(local_store, "run")


def test_an_arm_that_learnt_from_another_version_of_the_name_is_refused(
    local_store: LocalStore, trained: list[tuple[Trial, Checkpoint]]
) -> None:
    kept = keep_trials(local_store, "run", trained)
    real = trained[0][0].arm.mix[0]
    ref = DatasetRef(real.dataset, real.version)
    check_sources(local_store, kept, ref, real.fingerprint)
    check_sources(local_store, kept, DatasetRef("others", "v1"), "b" * 64)
    with pytest.raises(CheckpointConflict, match="fingerprint toy-real-fin then, bbbbbbbbbbbb now"):
        check_sources(local_store, kept, ref, "b" * 64)
