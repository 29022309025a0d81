"""The `sources` of a recipe: where films come from that are not generated."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tasks.recipe.errors import RecipeError
from tasks.recipe.fingerprint import fingerprint, reason_excluded
from tasks.recipe.profile import dump_published, load_recipe, parse_recipe
from tasks.recipe.sources import SourceSection

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"
LOCAL = load_recipe("local", [], PROFILES)


def problems(*changes: str) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe("local", changes, PROFILES)
    return str(caught.value)


def test_a_plain_string_is_a_source_with_its_defaults() -> None:
    recipe = load_recipe("local", ["sources.real=nih-mini@v1/clean", "sources.test=nih:~/x"], PROFILES)
    assert recipe.sources.real == SourceSection(source="nih-mini@v1/clean")
    assert recipe.sources.test is not None
    assert recipe.sources.test.source == f"nih:{Path.home() / 'x'}"
    assert recipe.sources.test.pixels == 512
    assert list(recipe.sources.named()) == ["real", "validation", "finetune", "test"]


def test_the_sources_change_no_sample() -> None:
    other = load_recipe("local", ["sources.real.films=16", "sources.validation=a@b", "sources.test=x@y"], PROFILES)
    assert fingerprint(other) == fingerprint(LOCAL)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("sources.real=phantom:q", "sources.real.source: phantom:q is no phantom hospital"),
        ("sources.real=nih:$DATA", "sources.real.source: 'nih:$DATA' holds $DATA, which is not expanded"),
        ("sources.real={source: a@b, films: 3}", "sources.real: films does not apply to a@b: leave it out"),
        ("sources.real={source: 'nih:x', seed: 3}", "sources.real: seed does not apply to nih:x: leave it out"),
        ("sources.real={source: 'phantom:a', split: train}", "sources.real: split does not apply to phantom:a"),
        ("sources.train=a@b", "sources.train: unknown key"),
        ("sources.real={source: 'nih:x', text: poems}", "sources.real.text: 'poems' is not allowed"),
        ("sources.real={source: 'nih:x', where: {age: [3]}}", "sources.real.where.age"),
    ],
)
def test_what_is_wrong_with_a_source_is_told(change: str, told: str) -> None:
    assert told in problems(change)


def test_the_old_keys_are_told_with_the_new_spelling() -> None:
    told = problems("archive_a={films: 16}", "archive_b.films=16")
    assert 'archive_a: is sources.real now: write sources: {real: {source: "phantom:a", films: …' in told
    assert "archive_b: is sources.test now" in told


def test_a_stored_recipe_of_the_old_spelling_is_read_as_it_was_meant() -> None:
    recipe = load_recipe("local", ["sources.finetune=null", "sources.validation=null"], PROFILES)
    document = yaml.safe_load(dump_published(recipe))
    sources = document.pop("sources")
    old = {name: {key: sources[part][key] for key in ("films", "size", "seed")}
           for name, part in (("archive_a", "real"), ("archive_b", "test"))}  # fmt: skip
    assert parse_recipe({**document, **old}) == recipe
    assert reason_excluded("archive_a.films") is not None
