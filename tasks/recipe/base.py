"""What every part of a recipe is built on."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

LARGEST_SEED = 2**43
"""A training step's seed, a million times as large, must still fit into 64 bits."""


class Section(BaseModel):
    """Base of every part of a recipe: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class KindSpec(Section):
    """An implementation by its kind, with the options that the kind takes; a plain text is a kind without options.

    `kind` is a name in the table of its registry, or ``module:Class`` for one of your own.
    """

    kind: str = Field(min_length=1, description="name of the implementation, or module:Class for one of your own")
    options: dict[str, Any] = Field(
        default_factory=dict, description="arguments of the implementation; the page of kinds lists them"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value
