"""Tiny pipelines with random weights, saved the way real ones are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.models.diffusion.tiny import BUILDERS, save_tiny


@pytest.fixture(scope="session")
def tiny_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """The folder of a tiny pipeline of a class, made once per set of options."""
    made: dict[tuple[Any, ...], Path] = {}

    def make(name: str, **options: Any) -> Path:
        key = (name, *sorted(options.items()))
        if key not in made:
            made[key] = save_tiny(tmp_path_factory.mktemp("tiny"), BUILDERS[name], **options)
        return made[key]

    return make


@pytest.fixture(scope="session")
def tiny_pipeline(tiny_of: Callable[..., Path]) -> Path:
    """One grey channel and eight latent ones, like ours."""
    return tiny_of("StableDiffusionPipeline", channels=1, latent_channels=8)


@pytest.fixture(scope="session")
def roentgen_like(tiny_of: Callable[..., Path]) -> Path:
    """Three colours and four latent channels, like Stable Diffusion 1.x."""
    return tiny_of("StableDiffusionPipeline")
