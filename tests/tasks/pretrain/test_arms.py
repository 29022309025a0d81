"""Arms get equal pairs and equal compute, and what differs has a name of its own."""

import pytest

from tasks.pretrain.arms import Arm, Source, plan_arms
from tasks.recipe.schema import TrainSection


def source(name: str, pairs: int = 100) -> Source:
    return Source(dataset=name, version="v1", fingerprint=f"{name}-print", pairs=pairs)


def arms(section: TrainSection | None = None, real: int = 100, synthetic: int = 100) -> dict[str, Arm]:
    planned = plan_arms(section or TrainSection(), source("real", real), source("synthetic", synthetic))
    return {arm.name: arm for arm in planned}


def test_real_synthetic_and_mixed_hold_the_same_number_of_pairs():
    planned = arms(real=100, synthetic=101)
    assert [planned[name].pairs for name in ("real", "synthetic", "mixed")] == [100, 100, 100]
    assert [s.pairs for s in planned["mixed"].sources] == [50, 50]
    assert planned["mixed_full"].pairs == 200


def test_every_trained_arm_gets_the_same_compute():
    assert {arm.samples_seen for arm in arms().values() if arm.trained} == {TrainSection().samples_seen}
    assert arms()["random"].samples_seen == 0


def test_a_control_differs_from_its_arm_in_the_shuffle_only():
    planned = arms()
    control = planned["shuffled_mixed"]
    assert control.shuffled
    assert control.sources == planned["mixed"].sources
    assert control.samples_seen == planned["mixed"].samples_seen


def test_an_odd_number_is_halved_without_loss():
    assert arms(TrainSection(pairs=33))["mixed"].pairs == 33


def test_too_few_pairs_names_the_dataset_and_the_largest_number():
    with pytest.raises(ValueError, match=r"real/v1 holds 20 pairs.*lower pretrain.pairs to 20"):
        arms(TrainSection(pairs=64), real=20)


def test_an_unknown_arm_gets_a_suggestion():
    with pytest.raises(ValueError, match="did you mean 'synthetic'"):
        arms(TrainSection(arms=("sinthetic",)))


def test_the_fingerprint_follows_what_changes_the_weights():
    section = TrainSection()
    arm = arms()["synthetic"]
    known = arm.fingerprint(section, 0)
    assert arm.fingerprint(section.model_copy(update={"threads": 7, "controls": ()}), 0) == known
    assert arm.fingerprint(section, 1) != known
    assert arm.fingerprint(section.model_copy(update={"learning_rate": 0.5}), 0) != known
    other = arm.sources[0].model_copy(update={"fingerprint": "another"})
    assert arm.model_copy(update={"sources": (other,)}).fingerprint(section, 0) != known
