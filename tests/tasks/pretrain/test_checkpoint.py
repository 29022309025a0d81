"""Checkpoints are kept once, at the fingerprint of their trial, found again, and never mixed up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from safetensors.torch import load as parse

from storage.errors import CorruptShard, ObjectMissing
from storage.layout import checkpoint_key, trial_key
from storage.local import LocalStore
from storage.objects import ObjectStore
from tasks.pretrain.arms import Draw, Trial
from tasks.pretrain.checkpoint import (
    Checkpoint,
    ensure_trained,
    find_checkpoint,
    read_checkpoint,
    read_facts,
    read_weights,
    write_checkpoint,
)
from tasks.pretrain.train import TrainedTrial
from tasks.recipe.base import KindSpec
from tasks.recipe.training import TrainSection
from tests.tasks.pretrain.made import left_behind

Plan = Callable[..., dict[str, Trial]]


@pytest.fixture
def trial(planned: Plan, section: TrainSection) -> Trial:
    return planned(section)["real"]


@pytest.fixture
def trained(trial: Trial, section: TrainSection) -> TrainedTrial:
    return left_behind(trial, section)


def test_a_trial_in_the_store_is_not_trained_again(store: ObjectStore, trial: Trial, section: TrainSection) -> None:
    trial = trial.model_copy(update={"seed": 41})  # no other test trains it
    steps: list[int] = []
    first, new = ensure_trained(store, trial, section, on_step=lambda step, _: steps.append(step))
    again, none = ensure_trained(store, trial, section, on_step=lambda step, _: steps.append(step))
    assert new is not None
    assert none is None
    assert steps == [1, 2, 3, 4]
    assert again == first
    assert len(first.losses) == 4


def test_people_find_the_facts_beside_the_weights(
    local_store: LocalStore, trial: Trial, section: TrainSection, trained: TrainedTrial
) -> None:
    held = write_checkpoint(local_store, trained, trial, section)
    facts = json.loads(local_store.get(trial_key(trial.fingerprint(section))))
    assert facts["fingerprint"] == trial.fingerprint(section)
    assert facts["trial"]["arm"]["mix"][0]["dataset"] == "toy-real"
    assert facts["samples_seen"] == 64
    assert held.key == checkpoint_key(trial.fingerprint(section), 4)
    assert parse(read_weights(local_store, held))["w"].tolist() == [0, 1, 2]
    assert read_facts(local_store, held.key).model_copy(update={"sha256": held.sha256}) == held


def test_weights_that_training_began_with_are_told_without_their_folder(
    local_store: LocalStore, trial: Trial, section: TrainSection, trained: TrainedTrial
) -> None:
    spec = KindSpec(kind="chexzero", options={"weights": "/home/somebody/clip.safetensors"})
    trial, section = trial.model_copy(update={"objective": spec}), section.model_copy(update={"objective": spec})
    held = write_checkpoint(local_store, trained, trial, section)
    for key in (held.key, trial_key(held.fingerprint)):
        assert b"clip.safetensors" in local_store.get(key)
        assert b"somebody" not in local_store.get(key)
    assert find_checkpoint(local_store, trial, section) == held


def test_a_run_cut_off_after_the_weights_is_completed(
    local_store: LocalStore, trial: Trial, section: TrainSection, trained: TrainedTrial, monkeypatch: Any
) -> None:
    held = write_checkpoint(local_store, trained, trial, section)
    local_store.delete(trial_key(held.fingerprint))
    monkeypatch.setattr("tasks.pretrain.checkpoint.train_trial", lambda *_, **__: pytest.fail("trained again"))
    assert ensure_trained(local_store, trial, section) == (held, None)
    assert read_checkpoint(local_store, held.fingerprint) == held


def test_the_loser_of_a_race_takes_what_is_there(
    local_store: LocalStore, trial: Trial, section: TrainSection, trained: TrainedTrial
) -> None:
    first = write_checkpoint(local_store, trained, trial, section)
    other = TrainedTrial(4, 64, (9.0,) * 4, 1.0, save({"w": np.zeros(3, np.float32)}))
    assert write_checkpoint(local_store, other, trial, section) == first


def test_a_trial_that_is_not_there_is_none(local_store: LocalStore, trial: Trial, section: TrainSection) -> None:
    assert find_checkpoint(local_store, trial, section) is None
    with pytest.raises(ObjectMissing):
        read_checkpoint(local_store, trial.fingerprint(section))


@pytest.mark.parametrize("junk", [b"", b"PK\x03\x04", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"])
def test_an_object_of_another_kind_is_refused_by_name(
    local_store: LocalStore, trial: Trial, section: TrainSection, junk: bytes
) -> None:
    local_store.put(checkpoint_key(trial.fingerprint(section), 4), junk)
    with pytest.raises(CorruptShard, match="not a checkpoint"):
        find_checkpoint(local_store, trial, section)


def with_facts(facts: object) -> bytes:
    """Weights whose header holds `facts`."""
    return save({"w": np.zeros(2, np.float32)}, {"synthcxr": json.dumps(facts)})


@pytest.mark.parametrize(
    ("facts", "told"),
    [([], "its facts are no mapping"), ({"fingerprint": "f"}, "trial"), ({"step": "many"}, "fingerprint")],
)
def test_a_header_of_other_facts_is_refused_by_name(
    local_store: LocalStore, trial: Trial, section: TrainSection, facts: object, told: str
) -> None:
    local_store.put(checkpoint_key(trial.fingerprint(section), 4), with_facts(facts))
    with pytest.raises(CorruptShard, match=rf"000004\.safetensors is not a checkpoint .*{told}"):
        find_checkpoint(local_store, trial, section)


def test_weights_and_facts_of_another_trial_are_refused(
    local_store: LocalStore, trial: Trial, section: TrainSection, trained: TrainedTrial
) -> None:
    held = write_checkpoint(local_store, trained, trial, section)
    other = trial.model_copy(update={"seed": 9}).fingerprint(section)
    local_store.put(checkpoint_key(other, 4), local_store.get(held.key))
    with pytest.raises(CorruptShard, match="it is that of checkpoints/"):
        read_facts(local_store, checkpoint_key(other, 4))
    local_store.put(trial_key(other), local_store.get(trial_key(held.fingerprint)))
    with pytest.raises(CorruptShard, match="describes trial"):
        read_checkpoint(local_store, other)
    local_store.put(held.key, with_facts({}), create_only=False)
    with pytest.raises(CorruptShard, match=r"other bytes than its trial\.json records"):
        read_weights(local_store, held)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format": 2}', b'{"fingerprint": 1e999}'])
def test_a_trial_json_that_describes_nothing_is_refused(local_store: LocalStore, text: bytes) -> None:
    local_store.put(trial_key("a" * 64), text)
    with pytest.raises(CorruptShard, match="describes no checkpoint"):
        read_checkpoint(local_store, "a" * 64)


@pytest.mark.parametrize(
    "change",
    [
        {"threads": 2},
        {"cache_megabytes": 0},
        {"only": ("real",)},
        {"only": ("real", "mixed")},
        {"seeds": (0, 7)},
    ],
)
def test_what_changes_no_weight_trains_nothing_again(
    local_store: LocalStore, planned: Plan, section: TrainSection, change: dict[str, Any], monkeypatch: Any
) -> None:
    trained: list[Trial] = []

    def train(trial: Trial, section: TrainSection, *_: object, **__: object) -> TrainedTrial:
        trained.append(trial)
        return left_behind(trial, section)

    monkeypatch.setattr("tasks.pretrain.checkpoint.train_trial", train)
    before = planned(section).values()
    held = {trial.label: ensure_trained(local_store, trial, section)[0] for trial in before}
    assert len(trained) == len(held) == 7
    changed = section.model_copy(update=change)
    again = [trial for trial in planned(changed).values() if trial.seed == 0]
    assert again
    for trial in again:
        assert ensure_trained(local_store, trial, changed) == (held[trial.label], None)


def test_the_records_of_a_checkpoint_hold_what_was_trained(trial: Trial, section: TrainSection) -> None:
    facts = Checkpoint(
        fingerprint=trial.fingerprint(section), trial=trial, pretrain=section.model_dump(mode="json"), step=4,
        samples_seen=64, losses=(1.0,) * 4, seconds=0.5,
    )  # fmt: skip
    assert Checkpoint.model_validate_json(facts.model_dump_json()) == facts
    assert isinstance(facts.trial.arm.mix[0], Draw)
