"""An objective may fill what the profile leaves open; what is said explicitly stands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from models.vlp.objectives import OBJECTIVES
from models.vlp.objectives.presets import CHANGEABLE, PRESETS
from tasks.recipe.profile import dump_recipe, load_recipe, parse_recipe
from tasks.recipe.training import TrainSection

CHEXZERO = {"optimiser": "sgd", "momentum": 0.9, "learning_rate": 1e-4, "weight_decay": 0.0, "batch": 16, "epochs": 4}
FAST = Path(__file__).parents[2] / "profiles" / "fast.yaml"


def section(folder: Path, pretrain: str, *changes: str) -> TrainSection:
    """``pretrain`` of a profile that says this of it."""
    whole = yaml.safe_load(FAST.read_text(encoding="utf-8"))
    del whole["pretrain"]
    (folder / "mine.yaml").write_text(yaml.safe_dump(whole) + pretrain, encoding="utf-8")
    return load_recipe(str(folder / "mine.yaml"), changes, folder).pretrain


def filled(found: TrainSection) -> dict[str, object]:
    return {name: getattr(found, name) for name in CHEXZERO}


def texts(found: TrainSection) -> set[str]:
    return {arm.text for arm in found.arms.values() if arm.control != "random"}


def test_presets_are_those_of_objectives_and_of_fields_that_there_are() -> None:
    assert set(PRESETS) <= set(OBJECTIVES)
    assert set(TrainSection.model_fields) >= CHANGEABLE


def test_chexzero_fills_what_is_left_open(tmp_path: Path) -> None:
    found = section(tmp_path, "pretrain: {objective: chexzero}")
    assert filled(found) == CHEXZERO
    assert texts(found) == {"impression"}
    assert found.arms["random"].control == "random"
    assert list(found.arms) == list(TrainSection().arms)


def test_what_is_given_stands(tmp_path: Path) -> None:
    arms = "a: {mix: [real], text: report}, b: {mix: [real]}, c: {mix: [real], objective: clip}, d: {control: random}"
    given = f"objective: {{kind: chexzero}}, batch: 64, samples_seen: 128, arms: {{{arms}}}"
    found = section(tmp_path, f"pretrain: {{{given}}}")
    assert filled(found) == CHEXZERO | {"batch": 64, "epochs": None}
    assert [arm.text for arm in found.arms.values()] == ["report", "impression", "sentence", "sentence"]


@pytest.mark.parametrize(
    ("pretrain", "changes", "expected"),
    [
        ("pretrain: {objective: chexzero}", (), CHEXZERO),
        ("", ("pretrain.objective=chexzero",), CHEXZERO),
        ("", ("pretrain.objective=chexzero", "pretrain.batch=32"), CHEXZERO | {"batch": 32}),
        ("pretrain: {batch: 8}", ("pretrain.objective=chexzero",), CHEXZERO | {"batch": 8}),
        ("pretrain: {samples_seen: 64}", ("pretrain.objective=chexzero",), CHEXZERO | {"epochs": None}),
        ("pretrain: {objective: chexzero}", ("pretrain.seeds=[1]",), CHEXZERO),
        ("pretrain: {objective: chexzero}", ("pretrain.objective=clip",), filled(TrainSection())),
    ],
)
def test_an_override_of_the_objective_brings_its_defaults(
    tmp_path: Path, pretrain: str, changes: tuple[str, ...], expected: dict[str, object]
) -> None:
    found = section(tmp_path, pretrain, *changes)
    assert filled(found) == expected
    assert texts(found) == ({"impression"} if found.objective.kind == "chexzero" else {"sentence"})


def test_the_text_of_an_arm_stands_if_profile_or_override_names_it(tmp_path: Path) -> None:
    arms = "pretrain: {arms: {a: {mix: [real], text: report}, b: {mix: [real]}, c: {mix: [real]}}}"
    found = section(tmp_path, arms, "pretrain.objective=chexzero", "pretrain.arms.c.text=sentence")
    assert [arm.text for arm in found.arms.values()] == ["report", "impression", "sentence"]


def test_a_dumped_recipe_says_everything_and_is_read_back_alike(tmp_path: Path) -> None:
    section(tmp_path, "pretrain: {objective: chexzero}")
    recipe = load_recipe(str(tmp_path / "mine.yaml"), (), tmp_path)
    assert parse_recipe(yaml.safe_load(dump_recipe(recipe))) == recipe
