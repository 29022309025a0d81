"""The states of a trial in training lie beside where its checkpoint will be, and go when that is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.layout import state_key
from storage.local import LocalStore
from storage.objects import ObjectStore
from tasks.pretrain.arms import Trial
from tasks.pretrain.checkpoint import ensure_trained
from tasks.pretrain.state import TrialState
from tasks.recipe.training import TrainSection

TRIAL = "a" * 64


def test_the_newest_two_states_are_kept_until_they_are_cleared(local_store: LocalStore) -> None:
    states = TrialState(local_store, TRIAL)
    assert list(states.newest()) == []
    for step in (5, 900, 1_000_000):
        states.write(step, f"after {step}".encode())
    assert [data for _, data in states.newest()] == [b"after 1000000", b"after 900"]
    assert [info.key for info in local_store.list("checkpoints/")] == [
        f"checkpoints/{TRIAL}/000900.state.safetensors",
        f"checkpoints/{TRIAL}/1000000.state.safetensors",
    ]
    states.clear()
    states.clear()
    assert states.steps() == []


def test_a_state_is_written_once_whoever_comes_second(local_store: LocalStore) -> None:
    TrialState(local_store, TRIAL).write(5, b"first")
    TrialState(local_store, TRIAL).write(5, b"second")
    assert local_store.get(state_key(TRIAL, 5)) == b"first"


def test_only_states_of_the_trial_are_counted_and_removed(local_store: LocalStore) -> None:
    other = [state_key("b" * 64, 5), f"checkpoints/{TRIAL}/000005.safetensors", f"checkpoints/{TRIAL}/trial.json"]
    for key in other:
        local_store.put(key, b"kept")
    states = TrialState(local_store, TRIAL)
    states.write(6, b"state")
    assert states.steps() == [6]
    states.clear()
    assert {info.key for info in local_store.list("checkpoints/")} == set(other)


def test_a_trained_trial_leaves_no_state(
    store: ObjectStore, planned: Callable[..., dict[str, Trial]], section: TrainSection
) -> None:
    trial = planned(section)["real"].model_copy(update={"seed": 77})
    fingerprint = trial.fingerprint(section)
    ensure_trained(store, trial, section)
    assert not [info.key for info in store.list(f"checkpoints/{fingerprint}/") if "state" in info.key]


def test_a_damaged_state_is_named_with_the_remedy(
    store: ObjectStore, planned: Callable[..., dict[str, Trial]], section: TrainSection
) -> None:
    trial = planned(section)["real"].model_copy(update={"seed": 78})
    TrialState(store, trial.fingerprint(section)).write(3, b"broken")
    with pytest.raises(ValueError, match=r"000003\.state\.safetensors is no state of a training .*remove it"):
        ensure_trained(store, trial, section)
