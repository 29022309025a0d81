"""Banks to plan from: small foreign ones, and the phantom hospital's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.contracts import Entity, EntityType
from tasks.recipe.profile import load_recipe
from tasks.recipe.schema import Recipe

PROFILES = Path(__file__).parents[3] / "flows" / "profiles"


@pytest.fixture
def entity() -> Callable[..., Entity]:
    """Makes one entity from its type and term."""

    def make(kind: str, term: str, **attributes: object) -> Entity:
        given = {"label": None, "present": True, "sides": (), "zones": (), "severities": (), **attributes}
        return Entity(id=f"{kind}/{term}", type=EntityType(kind), term=term, **given)  # type: ignore[arg-type]

    return make


@pytest.fixture
def recipe() -> Callable[..., Recipe]:
    """Makes the local recipe with overrides."""
    return lambda *overrides: load_recipe("local", overrides, PROFILES)
