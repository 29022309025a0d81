"""The renderer as an image generator: the prompt's findings are in the film."""

from __future__ import annotations

import numpy as np
import pytest

from models import registry
from models.contracts import ImageGenerator, ImageRequest
from models.phantom.renderer import RendererImageGenerator


def film(prompt: str, seed: int = 3) -> np.ndarray:
    return RendererImageGenerator().generate([ImageRequest("s", prompt, seed)])[0].astype(int)


def test_it_is_an_image_generator_of_the_registry() -> None:
    assert isinstance(registry.build(registry.IMAGE_GENERATORS, "renderer", {"size": 64}), ImageGenerator)


def test_a_finding_changes_the_film_on_its_own_side() -> None:
    plain, left = film("No acute cardiopulmonary abnormality."), film("Large left pleural effusion.")
    change = np.abs(left - plain) > 25
    assert change[:, 70:].sum() > 5 * change[:, :58].sum()  # the patient's left is on the right of the film


def test_a_denied_finding_is_not_drawn() -> None:
    assert (film("No pneumothorax. Normal heart.") == film("No acute cardiopulmonary abnormality.")).all()


def test_the_seed_decides_and_open_attributes_are_drawn_from_it() -> None:
    assert (film("Lung nodule.") == film("Lung nodule.")).all()
    assert (film("Lung nodule.", 3) != film("Lung nodule.", 4)).any()


def test_an_unknown_hospital_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown hospital 'c'"):
        RendererImageGenerator(hospital="c")
