"""The state of a trial in training lies beside where its checkpoint will be, and goes when that is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.local import LocalStore
from storage.objects import ObjectStore
from tasks.pretrain.arms import Trial
from tasks.pretrain.checkpoint import ensure_trained
from tasks.pretrain.state import TrialState
from tasks.recipe.training import TrainSection


def test_the_last_state_is_read_until_it_is_cleared(local_store: LocalStore) -> None:
    states = TrialState(local_store, "a" * 64)
    assert states.read() is None
    states.write(1, b"first")
    states.write(2, b"second")
    assert states.read() == b"second"
    assert [info.key for info in local_store.list("checkpoints/")] == [f"checkpoints/{'a' * 64}/state.pt"]
    states.clear()
    states.clear()
    assert states.read() is None


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
    TrialState(store, trial.fingerprint(section)).write(3, b"PK broken")
    with pytest.raises(ValueError, match=r"state\.pt is no state of a training .*remove it to begin anew"):
        ensure_trained(store, trial, section)
