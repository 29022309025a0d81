"""Arms are values: equal pairs, equal compute, and a fingerprint of what changes the weights and of nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.vlp.library import CONFIGS
from models.vlp.text_tower import TextTower
from tasks.pretrain.arms import (
    EXCLUDED,
    LATER,
    UNTRAINED,
    Arm,
    ArmsDoNotFit,
    Draw,
    Trial,
    kept_pairs,
    needed_sources,
    pairs_per_arm,
    plan_trials,
)
from tasks.recipe.base import KindSpec
from tasks.recipe.training import ArmSection, MixEntry, TrainSection, standard_arms


def draw(name: str, pairs: int = 100) -> Draw:
    return Draw(dataset=name, version="v1", fingerprint=f"{name}-print", pairs=pairs)


def trials(section: TrainSection | None = None, **pairs: int) -> dict[str, Trial]:
    offers = {name: draw(name, count) for name, count in ({"real": 100, "synthetic": 100} | pairs).items()}
    return {trial.arm.name: trial for trial in plan_trials(section or TrainSection(), offers)}


def arms(section: TrainSection | None = None, **pairs: int) -> dict[str, Arm]:
    return {name: trial.arm for name, trial in trials(section, **pairs).items()}


def of(mix: list[dict[str, Any]], **more: Any) -> TrainSection:
    """A section with one arm named ``x``."""
    return TrainSection(arms={"x": ArmSection(mix=tuple(MixEntry(**entry) for entry in mix), **more)})


def test_real_synthetic_and_mixed_hold_the_same_number_of_pairs() -> None:
    planned = arms(real=100, synthetic=101)
    assert [planned[name].pairs for name in ("real", "synthetic", "mixed")] == [100, 100, 100]
    assert [part.pairs for part in planned["mixed"].mix] == [50, 50]
    assert planned["mixed_full"].pairs == 200


def test_every_trained_arm_gets_the_same_compute() -> None:
    assert {arm.samples_seen for arm in arms().values() if arm.trained} == {TrainSection().samples_seen}
    assert arms()["random"].samples_seen == 0


def test_epochs_give_each_arm_as_many_passes_over_its_pairs_whatever_their_number() -> None:
    found = arms(TrainSection(epochs=2.5))
    assert {name: arm.samples_seen / arm.pairs for name, arm in found.items() if arm.trained} == {
        name: 2.5 for name, arm in found.items() if arm.trained
    }
    assert found["random"].samples_seen == 0
    assert found["mixed_full"].samples_seen == 2 * found["real"].samples_seen
    own = TrainSection(arms={"x": ArmSection(mix=(MixEntry(source="real"),), samples_seen=64)}, epochs=2.5)
    assert arms(own)["x"].samples_seen == 64


def test_matched_epochs_give_arms_of_more_pairs_as_much_more_compute() -> None:
    section = TrainSection(matched="epochs", samples_seen=1000)
    found = arms(section, real=100, synthetic=120)
    assert {name: arm.samples_seen for name, arm in found.items() if arm.trained} == {
        name: 2000 if name == "mixed_full" else 1000 for name, arm in found.items() if arm.trained
    }
    compute = TrainSection(samples_seen=1000)
    one, other = trials(section)["mixed"], trials(compute)["mixed"]
    assert one.fingerprint(section) == other.fingerprint(compute), "the same training, however it was asked for"
    whole = of([{"source": "other", "count": "all"}]).model_copy(update={"matched": "epochs", "samples_seen": 64})
    with pytest.raises(ArmsDoNotFit, match="say how many pairs an arm has"):
        arms(whole, other=32)
    assert arms(whole.model_copy(update={"pairs": 16}), other=32)["x"].samples_seen == 128


def test_settings_that_came_later_change_no_fingerprint_while_they_are_as_before() -> None:
    identity = trials()["real"].identity(TrainSection())
    assert not set(LATER) & set(identity["section"])
    sgd = TrainSection(optimiser="sgd")
    assert trials(sgd)["real"].identity(sgd)["section"]["optimiser"] == "sgd"


def test_a_text_tower_counts_by_content_and_not_by_path(tmp_path: Path) -> None:
    known = list[str]()
    for name, content in (("one", "{}"), ("copy", "{}"), ("other", "[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(content)
        section = TrainSection(text_tower=TextTower(path=str(tmp_path / name)))
        known.append(trials(section)["real"].fingerprint(section))
    assert known[0] == known[1] != known[2]


def test_weights_that_an_objective_starts_from_count_by_content(tmp_path: Path) -> None:
    marks = {}
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        options = {"weights": str(tmp_path / f"{name}.safetensors")}
        section = TrainSection(objective=KindSpec(kind="chexzero", options=options))
        marks[name] = trials(section)["real"].fingerprint(section)
    assert marks["a"] == marks["b"] != marks["c"]


def test_a_control_differs_from_its_arm_in_the_shuffle_only() -> None:
    planned = arms()
    assert planned["shuffled_mixed"].model_copy(update={"name": "mixed", "control": "none"}) == planned["mixed"]


def test_a_control_is_told_by_its_field_whatever_its_name() -> None:
    odd = {"shuffled_real": ArmSection(mix=(MixEntry(source="real"),)), "b": ArmSection(control="random")}
    planned = arms(TrainSection(arms=odd))
    assert planned["shuffled_real"].control == "none"
    assert not planned["b"].trained


@pytest.mark.parametrize(
    ("mix", "counts"),
    [
        ([{"source": "real", "weight": 3}, {"source": "synthetic", "weight": 1}], [75, 25]),
        ([{"source": "real", "weight": 1}, {"source": "synthetic", "weight": 2}], [33, 67]),
        ([{"source": "real", "share": 0.25}, {"source": "synthetic", "share": 1}], [25, 100]),
        ([{"source": "real", "count": 7}, {"source": "other", "count": "all"}], [7, 64]),
        ([{"source": "real"}, {"source": "synthetic"}, {"source": "other"}], [33, 33, 34]),
    ],
)
def test_a_mix_is_told_by_weight_share_or_count(mix: list[dict[str, Any]], counts: list[int]) -> None:
    section = of(mix).model_copy(update={"pairs": 100})
    assert [part.pairs for part in arms(section, other=64)["x"].mix] == counts


def test_how_many_pairs_an_arm_has_does_not_depend_on_which_arms_are_chosen() -> None:
    chosen = TrainSection(only=("real",))
    offers = {"real": draw("real", 100), "synthetic": draw("synthetic", 40)}
    assert pairs_per_arm(chosen, offers) == pairs_per_arm(TrainSection(), offers) == 40
    assert needed_sources(chosen) == ("real", "synthetic")
    assert needed_sources(chosen.model_copy(update={"pairs": 16})) == ("real",)


def test_an_odd_number_is_halved_without_loss() -> None:
    assert arms(TrainSection(pairs=33))["mixed"].pairs == 33


def test_too_few_pairs_names_the_dataset_and_the_largest_number() -> None:
    with pytest.raises(ArmsDoNotFit, match=r"real/v1 holds 20 pairs.*lower pretrain.pairs to 20"):
        arms(TrainSection(pairs=64), real=20)


def test_too_few_pairs_of_a_counted_source_names_the_field_to_lower() -> None:
    with pytest.raises(ArmsDoNotFit, match=r"holds 20 pairs.*lower the count of real in pretrain.arms.x to 20"):
        arms(of([{"source": "real", "count": 64}]), real=20)
    with pytest.raises(ArmsDoNotFit, match=r"lower pretrain.pairs, or the share of real in pretrain.arms.x, or make"):
        arms(of([{"source": "real", "share": 3.2}]), real=20)


def test_a_source_that_is_not_offered_is_named() -> None:
    with pytest.raises(ArmsDoNotFit, match="arm 'x': there is no source 'nih@v1'; there are real, synthetic"):
        arms(of([{"source": "nih@v1", "count": 8}]))


def test_arms_on_other_sources_alone_need_their_number_told() -> None:
    with pytest.raises(ArmsDoNotFit, match="say how many pairs an arm has"):
        arms(of([{"source": "other"}]), other=64)


def test_a_selection_offers_what_it_keeps_and_counts_by_content() -> None:
    one, other = kept_pairs(draw("s"), "a", ["x", "y"]), kept_pairs(draw("s"), "b", ["y", "x"])
    assert one.pairs == 2
    assert one.selected == other.selected != kept_pairs(draw("s"), "a", ["x"]).selected
    with pytest.raises(ArmsDoNotFit, match="selection 'a' of s/v1 keeps no pair"):
        kept_pairs(draw("s"), "a", [])


def test_each_seed_trains_each_chosen_arm_once() -> None:
    section = TrainSection(seeds=(0, 5), only=("real", "random"))
    planned = plan_trials(section, {"real": draw("real"), "synthetic": draw("synthetic")})
    assert [trial.label for trial in planned] == ["real, seed 0", "random, seed 0", "real, seed 5", "random, seed 5"]
    assert len({trial.fingerprint(section) for trial in planned}) == 4


OTHER: dict[str, Any] = {
    "seeds": (0, 1),
    "objective": KindSpec(kind="other"),
    "arms": standard_arms() | {"another": ArmSection(control="random")},
    "only": ("mixed",),
    "pairs": 100,
    "samples_seen": 99,
    "epochs": 3.0,
    "matched": "epochs",
    "optimiser": "sgd",
    "momentum": 0.5,
    "batch": 16,
    "learning_rate": 0.5,
    "warmup": 0.5,
    "weight_decay": 0.5,
    "threads": 7,
    "device": "cuda:1",
    "precision": "bfloat16",
    "model": "synthcxr-other",
    "text_tower": TextTower(path=str(CONFIGS)),
    "save_minutes": None,
    "save_steps": 7,
    "processes": 2,
    "launcher": "ray",
    "ray_address": "head:6379",
    "loader_workers": 3,
    "sync_batch_norm": False,
    "micro_batch": 7,
    "checkpoint_activations": True,
    "text_cache_megabytes": 7,
    "average": 0.5,
    "cache_megabytes": 7,
}
"""Another value of every field of the section."""


def changed(name: str) -> TrainSection:
    return TrainSection().model_copy(update={name: OTHER[name]})


def test_every_field_is_either_excluded_with_a_reason_or_changes_the_fingerprint() -> None:
    assert OTHER.keys() == TrainSection.model_fields.keys()
    assert EXCLUDED.keys() < OTHER.keys()
    assert all(reason for reason in EXCLUDED.values())
    mixed = trials()["mixed"]
    for name in OTHER:
        same = mixed.fingerprint(changed(name)) == mixed.fingerprint(TrainSection())
        assert same == (name in EXCLUDED), name


@pytest.mark.parametrize("name", sorted(EXCLUDED.keys() - {"objective", "samples_seen", "epochs", "matched"}))
def test_what_is_excluded_trains_nothing_again(name: str) -> None:
    section = changed(name)
    offers = {source: draw(source) for source in ("real", "synthetic")}
    again = {(trial.arm.name, trial.seed): trial.fingerprint(section) for trial in plan_trials(section, offers)}
    before = {(trial.arm.name, 0): trial.fingerprint(TrainSection()) for trial in trials().values()}
    both = before.keys() & again.keys()
    assert both
    assert all(again[key] == before[key] for key in both)


@pytest.mark.parametrize(
    "change",
    [
        {"samples_seen": 64},
        {"schedule": "then"},
        {"control": "shuffled"},
        {"text": "impression"},
        {"mix": (draw("real"),)},
        {"mix": (draw("real", 50), draw("synthetic", 51))},
        {"mix": (draw("real", 50).model_copy(update={"fingerprint": "another"}), draw("synthetic", 50))},
        {"mix": (draw("real", 50).model_copy(update={"selected": "another"}), draw("synthetic", 50))},
    ],
)
def test_what_changes_an_arm_changes_its_trial(change: dict[str, Any]) -> None:
    mixed = trials()["mixed"]
    other = mixed.model_copy(update={"arm": mixed.arm.model_copy(update=change)})
    assert other.fingerprint(TrainSection()) != mixed.fingerprint(TrainSection())


def test_seed_and_objective_change_a_trial_and_names_do_not() -> None:
    mixed, section = trials()["mixed"], TrainSection()
    known = mixed.fingerprint(section)
    assert mixed.model_copy(update={"seed": 1}).fingerprint(section) != known
    objective = KindSpec(kind="clip", options={"a": 1})
    assert mixed.model_copy(update={"objective": objective}).fingerprint(section) != known
    renamed = mixed.arm.model_copy(update={"name": "ours"})
    assert mixed.model_copy(update={"arm": renamed}).fingerprint(section) == known
    parts = tuple(part.model_copy(update={"selection": "renamed"}) for part in mixed.arm.mix)
    arm = mixed.arm.model_copy(update={"mix": parts})
    assert mixed.model_copy(update={"arm": arm}).fingerprint(section) == known


def test_an_untrained_control_is_known_by_model_and_seed_alone() -> None:
    random = trials()["random"]
    for name in OTHER:
        same = random.fingerprint(changed(name)) == random.fingerprint(TrainSection())
        assert same == (name not in UNTRAINED), name
