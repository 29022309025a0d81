"""A table of scores says from what it was made, where a reader would otherwise conclude too much."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.build.image_generator import AssetBuilder
from tasks.publish.caveats import SHIPPED_GENERATOR_FILMS, caveats
from tasks.recipe.schema import Recipe

GENERATOR = "The image generator learnt from 20,000 films of hospital A, the arm real from 512"
PHANTOM = "Hospitals A and B are phantoms"


def recipe(model: str | None, **changes: Any) -> Recipe:
    """A recipe that draws with a pipeline, or with the renderer."""
    generator = {"kind": "diffusers", "options": {"model": model}} if model else {"kind": "renderer"}
    gates: dict[str, Any] = {"report_gates": (), "image_gates": ()}
    return Recipe.model_validate(
        {"dataset": "films", "pairs": 6, "images": {"generator": generator}, **gates, **changes}
    )


def test_the_shipped_generator_and_the_phantom_are_told() -> None:
    generator, phantom = caveats(recipe("builtin:phantom"))
    assert generator.startswith(GENERATOR)
    assert "nothing about synthetic against real" in generator
    assert phantom.startswith(PHANTOM)


def test_the_films_of_the_real_source_are_those_of_the_recipe() -> None:
    generator, _ = caveats(recipe("builtin:phantom", sources={"real": {"source": "phantom:a", "films": 4096}}))
    assert "the arm real from 4,096" in generator


def test_a_run_without_a_phantom_of_real_films_names_no_number_for_them() -> None:
    generator, _ = caveats(recipe("builtin:phantom", sources={"real": "nih@v-1"}))
    assert "the arm real" not in generator


def test_the_renderer_learnt_from_nothing() -> None:
    (phantom,) = caveats(recipe(None))
    assert phantom.startswith(PHANTOM)


def test_nothing_is_told_of_foreign_weights_on_published_versions() -> None:
    assert caveats(recipe("./roentgen", sources={"real": "mimic@v-1", "test": "nih@v-2"})) == ()


def test_the_number_is_the_builders(tmp_path: Path) -> None:
    assert AssetBuilder(tmp_path, tmp_path, tmp_path).films == SHIPPED_GENERATOR_FILMS
