"""What every part of a recipe is built on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

LARGEST_SEED = 2**43
"""A training step's seed, a million times as large, must still fit into 64 bits."""


class Section(BaseModel):
    """Base of every part of a recipe: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
