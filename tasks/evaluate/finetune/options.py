"""Options that the tasks which train a network share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

Share = Annotated[float, Field(gt=0, le=1)]
"""Of the training patients."""
Seed = Annotated[int, Field(ge=0)]
Initial = Literal["pretrained", "random"]
"""Weights of the image tower to begin with: those of the model, or new ones of the same architecture."""
Steps = Annotated[int, Field(ge=1, le=1_000_000)]
Rates = Annotated[Sequence[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
"""Learning rates that are tried."""
