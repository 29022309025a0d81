"""Below a table of scores stands what its figures do not show."""

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


def test_the_shipped_generator_and_the_phantom_are_named() -> None:
    generator, phantom = caveats(recipe("builtin:phantom"))
    assert generator.startswith(GENERATOR)
    assert "no comparison of synthetic with real" in generator
    assert phantom.startswith(PHANTOM)


def test_the_films_of_the_real_source_are_those_of_the_recipe() -> None:
    generator, _ = caveats(recipe("builtin:phantom", sources={"real": {"source": "phantom:a", "films": 4096}}))
    assert "the arm real from 4,096" in generator


def test_a_run_without_a_phantom_of_real_films_names_no_number_for_them() -> None:
    generator, _ = caveats(recipe("builtin:phantom", sources={"real": "nih@v-1"}))
    assert "the arm real" not in generator


def test_arms_on_phantoms_are_found_by_their_mix_and_not_by_their_name() -> None:
    arms = {
        "baseline": {"mix": ["real", "phantom:b"]},
        "real": {"mix": ["synthetic"]},
        "permuted": {"mix": ["real"], "control": "shuffled"},
    }
    generator, _ = caveats(recipe("builtin:phantom", pretrain={"arms": arms}))
    assert generator.startswith(
        "The image generator learnt from 20,000 films of hospital A, the arm baseline from 1,024:"
    )


def test_without_an_arm_on_generated_pairs_the_generator_is_not_named() -> None:
    (phantom,) = caveats(recipe("builtin:phantom", pretrain={"arms": {"real": {"mix": ["real"]}}}))
    assert phantom.startswith(PHANTOM)


def test_a_phantom_that_no_arm_trains_on_does_not_count() -> None:
    arms = {"mimic": {"mix": ["mimic@v-1"]}}
    assert caveats(recipe("./roentgen", sources={"test": "nih@v-2"}, pretrain={"arms": arms})) == ()


def test_the_renderer_learnt_from_nothing() -> None:
    (phantom,) = caveats(recipe(None))
    assert phantom.startswith(PHANTOM)


def test_foreign_weights_on_published_versions_need_no_caveat() -> None:
    assert caveats(recipe("./roentgen", sources={"real": "mimic@v-1", "test": "nih@v-2"})) == ()


def test_the_number_is_the_builders(tmp_path: Path) -> None:
    assert AssetBuilder(tmp_path, tmp_path, tmp_path).films == SHIPPED_GENERATOR_FILMS
