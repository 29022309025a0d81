"""The sections on what is trained: arms as values, and old spellings."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tasks.recipe.profile import dump_published, load_recipe, parse_recipe
from tasks.recipe.training import ArmSection, EvaluateSection, MixEntry, TrainSection, standard_arms

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"
LOCAL = load_recipe("local", [], PROFILES)
REAL, SYNTHETIC = MixEntry(source="real"), MixEntry(source="synthetic")


def test_the_shipped_profiles_train_the_standard_arms() -> None:
    for profile in ("local", "full"):
        section = load_recipe(profile, [], PROFILES).pretrain
        assert list(section.chosen) == list(standard_arms())
        mixes = {name: [entry.source for entry in arm.mix] for name, arm in section.chosen.items()}
        assert mixes == {name: [entry.source for entry in arm.mix] for name, arm in standard_arms().items()}


def test_an_arm_is_a_value_that_a_profile_spells() -> None:
    change = "pretrain.arms={staged: {mix: [nih-mini@v1, {source: synthetic}], schedule: then, text: impression}}"
    recipe = load_recipe("local", [change, "pretrain.seeds=[3, 4]"], PROFILES)
    assert recipe.pretrain.arms == {
        "staged": ArmSection(mix=(MixEntry(source="nih-mini@v1"), SYNTHETIC), schedule="then", text="impression")
    }
    assert recipe.pretrain.seeds == (3, 4)
    assert recipe.seed == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "mix is empty"),
        ({"mix": (REAL, REAL)}, "names a source twice"),
        ({"mix": (REAL, MixEntry(source="synthetic", count=8))}, "give all of them the same"),
        ({"mix": (REAL,), "schedule": "then"}, "needs two sources"),
        ({"mix": (REAL,), "control": "random"}, "not trained: leave mix out"),
        ({"text": "findings", "control": "random"}, "not trained: leave text out"),
    ],
)
def test_what_is_no_arm_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ArmSection.model_validate(changes)


def test_an_entry_of_a_mix_has_one_measure() -> None:
    with pytest.raises(ValidationError, match="has a weight and a count: give one of them"):
        MixEntry(source="real", weight=1, count=8)
    assert MixEntry(source="real", count="all").measure == "count"
    assert REAL.measure == "weight"


def test_comparisons_are_listed_pairs_and_only_those_whose_arms_run_are_made() -> None:
    arms = ("real", "synthetic", "mixed", "shuffled_synthetic", "shuffled_mixed", "random")
    assert EvaluateSection().compared(arms) == (
        ("real", "random"),
        ("synthetic", "real"), ("synthetic", "shuffled_synthetic"), ("synthetic", "random"),
        ("mixed", "real"), ("mixed", "shuffled_mixed"), ("mixed", "random"),
    )  # fmt: skip
    assert EvaluateSection(comparisons=(("a", "b"), ("a", "c"))).compared(("a", "c")) == (("a", "c"),)


def test_a_plain_text_is_a_kind_without_options() -> None:
    assert TrainSection.model_validate({"objective": "clip"}) == TrainSection()
    assert EvaluateSection.model_validate({"tasks": ["zero_shot"]}) == EvaluateSection()


def test_a_stored_recipe_of_named_arms_is_read_as_it_was_meant() -> None:
    document = yaml.safe_load(dump_published(LOCAL))
    old = {key: value for key, value in document["pretrain"].items() if key not in ("arms", "only", "seeds")}
    old |= {"objective": "clip", "arms": ["real", "synthetic"], "controls": ["random"]}
    read = parse_recipe({**document, "seed": 7, "pretrain": old})
    assert list(read.pretrain.chosen) == ["real", "synthetic", "random"]
    assert read.pretrain.arms["real"] == standard_arms()["real"]
    assert read.pretrain.seeds == (7,)
