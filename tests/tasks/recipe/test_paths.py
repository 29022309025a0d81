"""Paths in a recipe: home is expanded, variables are not taken, and no machine's places are published."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tasks.recipe.fingerprint import fingerprint
from tasks.recipe.paths import at_home, hides_places, published
from tasks.recipe.profile import dump_published, load_recipe, parse_recipe

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    recipe = load_recipe("local", ["storage.root=~/store", "plan.bank=~/bank.csv", "plan.cooccurrence=~/p"], PROFILES)
    assert (recipe.storage.root, recipe.plan.bank, recipe.plan.cooccurrence) == (
        "/home/ann/store", "/home/ann/bank.csv", "/home/ann/p",
    )  # fmt: skip


@pytest.mark.parametrize("path", ["$HOME/x", "${DATA}/x", "/data/$USER", "$X"])
def test_a_variable_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="not expanded in a recipe: write the path, or begin with ~/"):
        at_home(path)


@pytest.mark.parametrize("path", ["/a/b$", "cost$.csv", "a b", "./x", "s3://bucket/x"])
def test_other_paths_stay(path: str) -> None:
    assert at_home(path) == path


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/home/ann/weights/roentgen", "…/roentgen"),
        ("/home/ann/weights/", "…/weights"),
        ("~/weights", "…/weights"),
        ("C:\\Users\\ann\\bank.csv", "…/bank.csv"),
        ("\\\\server\\share\\x", "…/x"),
        ("sqlite:////home/ann/ml.db", "sqlite:///…/ml.db"),
        ("file:///home/ann/x", "file://…/x"),
        ("nih:/home/ann/nih", "nih:…/nih"),
        ("./weights/roentgen", "./weights/roentgen"),
        ("banks/a.csv", "banks/a.csv"),
        ("sqlite:///ml.db", "sqlite:///ml.db"),
        ("s3://bucket/a", "s3://bucket/a"),
        ("http://host/a", "http://host/a"),
        ("meta-llama/Llama", "meta-llama/Llama"),
        ("phantom", "phantom"),
        (3, 3),
    ],
)
def test_only_the_last_part_of_an_absolute_path_is_published(value: object, shown: object) -> None:
    found = published({"options": [{"model": value}]})
    assert found == {"options": [{"model": shown}]}
    assert hides_places(found) is (shown != value)


def test_a_published_recipe_holds_no_place_and_is_still_a_recipe(tmp_path: Path) -> None:
    changes = [f"storage.root={tmp_path}/s", f"tracking.uri=sqlite:///{tmp_path}/m.db"]
    recipe = load_recipe("local", changes, PROFILES)
    text = dump_published(recipe)
    assert str(tmp_path) not in text
    stored = parse_recipe(yaml.safe_load(text))
    assert fingerprint(stored) == fingerprint(recipe), "where samples are kept changes none"
