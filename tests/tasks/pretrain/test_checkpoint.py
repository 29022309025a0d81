"""Checkpoints are kept once, found again, and never mixed up."""

import json

import numpy as np
import pytest
from safetensors.numpy import save
from safetensors.torch import load as parse

from storage.errors import CorruptShard
from storage.layout import DatasetRef
from tasks.pretrain.arms import plan_arms
from tasks.pretrain.checkpoint import (
    CheckpointConflict,
    check_sources,
    checkpoint_key,
    config_key,
    ensure_trained,
    read_checkpoint,
    write_checkpoint,
)
from tasks.pretrain.train import train_arm


def test_an_arm_in_the_store_is_not_trained_again(store, real, synthetic, section):
    arm = plan_arms(section, real, synthetic)[0]
    steps: list[int] = []
    first, fresh = ensure_trained(store, "run-a", arm, section, seed=0, on_progress=lambda *_: steps.append(1))
    again, fresh_again = ensure_trained(store, "run-a", arm, section, seed=0, on_progress=lambda *_: steps.append(1))
    assert (fresh, fresh_again) == (True, False)
    assert len(steps) == 4
    assert again == first
    assert len(first.losses) == 4


def test_people_find_the_facts_beside_the_weights(store, real, synthetic, section):
    arm = plan_arms(section, real, synthetic)[1]
    trained, _ = ensure_trained(store, "run-b", arm, section, seed=0)
    facts = json.loads(store.get(config_key("run-b", "synthetic")))
    assert facts["fingerprint"] == trained.fingerprint == arm.fingerprint(section, 0)
    assert facts["arm"]["sources"][0]["dataset"] == "toy-synthetic"
    assert facts["samples_seen"] == 64
    assert "logit_scale" in parse(store.get(checkpoint_key("run-b", "synthetic")))


def test_a_run_cut_off_after_the_weights_is_completed(store, real, synthetic, section):
    arm = plan_arms(section, real, synthetic)[0]
    ensure_trained(store, "run-e", arm, section, seed=0)
    facts = store.get(config_key("run-e", "real"))
    store.delete(config_key("run-e", "real"))
    assert ensure_trained(store, "run-e", arm, section, seed=0)[1] is False
    assert store.get(config_key("run-e", "real")) == facts


def test_another_setting_under_the_same_run_is_refused(store, real, synthetic, section):
    arm = plan_arms(section, real, synthetic)[0]
    ensure_trained(store, "run-c", arm, section, seed=0)
    with pytest.raises(CheckpointConflict, match="take another run name"):
        ensure_trained(store, "run-c", arm, section, seed=1)


def test_the_loser_of_a_race_takes_what_is_there(store, real, synthetic, section):
    arm = plan_arms(section, real, synthetic)[0]
    one, other = (train_arm(arm, section, store, seed=0) for _ in range(2))
    first = write_checkpoint(store, "run-d", one, arm, section, seed=0)
    assert write_checkpoint(store, "run-d", other, arm, section, seed=0) == first


def test_an_arm_that_is_not_there_is_none(store):
    assert read_checkpoint(store, "run-a", "nothing") is None


@pytest.mark.parametrize("junk", [b"", b"PK\x03\x04", b"\xff" * 64, b"\x02\0\0\0\0\0\0\0{}"])
def test_an_object_of_another_kind_is_refused_by_name(store, junk):
    run = f"junk-{junk.hex()[:8] or 'empty'}"
    store.put(checkpoint_key(run, "real"), junk)
    with pytest.raises(CorruptShard, match="not a checkpoint"):
        read_checkpoint(store, run, "real")


def with_facts(facts: object) -> bytes:
    """Weights whose header holds `facts`."""
    return save({"w": np.zeros(2, np.float32)}, {"synthcxr": json.dumps(facts)})


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ([], "its facts are no mapping"),
        ({"name": "real"}, "'fingerprint' is missing"),
        ({"name": "real", "fingerprint": "f", "pairs": "many"}, "invalid literal"),
    ],
)
def test_a_header_of_other_facts_is_refused_by_name(store, facts, told):
    run = f"facts-{len(json.dumps(facts))}"
    store.put(checkpoint_key(run, "real"), with_facts(facts))
    with pytest.raises(CorruptShard, match=rf"real/checkpoint\.safetensors is not a checkpoint .*{told}"):
        read_checkpoint(store, run, "real")


def test_an_arm_that_learnt_from_another_version_of_the_name_is_refused(store):
    ref = DatasetRef("films", "v-1")
    source = {"dataset": "films", "version": "v-1", "fingerprint": "a" * 64, "pairs": 2}
    store.put(checkpoint_key("run-s", "synthetic"), with_facts({"arm": {"sources": [source]}}))
    arms = ["synthetic", "random"]
    check_sources(store, "run-s", arms, ref, "a" * 64)
    check_sources(store, "run-s", arms, DatasetRef("films", "v-2"), "b" * 64)
    with pytest.raises(CheckpointConflict, match="fingerprint aaaaaaaaaaaa then, bbbbbbbbbbbb now"):
        check_sources(store, "run-s", arms, ref, "b" * 64)
