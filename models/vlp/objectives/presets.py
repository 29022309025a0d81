"""What an objective would have the rest of a profile's `pretrain` be, where the profile does not say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.vlp.text import Text


@dataclass(frozen=True, slots=True)
class Preset:
    """Defaults in place of the general ones.

    Args:
        settings: fields of ``pretrain`` with their values.
        text: what a step reads of a report, in every arm.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    text: Text = "sentence"


PRESETS: Mapping[str, Preset] = {
    "chexzero": Preset(
        {
            "optimiser": "sgd", "momentum": 0.9, "learning_rate": 1e-4, "weight_decay": 0.0, "warmup": 0.0,
            "batch": 16, "epochs": 4.0,
        },
        text="impression",
    )
}  # fmt: skip
"""By kind of objective; a kind that is not here has no wishes."""
CHANGEABLE = frozenset(name for preset in PRESETS.values() for name in preset.settings)
"""The fields of ``pretrain`` that some preset fills."""
