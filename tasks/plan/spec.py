"""What is planned: one spec per sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.contracts import Mention

LEFT_OUT = "plan.left_out"
"""The name of a shard's count of entities that the rules left out of it; missing where that is 0."""


@dataclass(frozen=True, slots=True)
class SampleSpec:
    """One sample before anything is made of it.

    Args:
        sample_id: stable, sortable and safe as a file name.
        index: position in the plan, from 0.
        shard: the shard it belongs to.
        mentions: what its report must state.
        axes: age, sex and view, where the recipe deals them (`tasks.plan.axes`).
        image_prefix: what stands before the IMPRESSION in its image prompt.
    """

    sample_id: str
    index: int
    shard: int
    mentions: tuple[Mention, ...]
    axes: Mapping[str, str] | None = None
    image_prefix: str = ""


def sample_id(fingerprint: str, index: int) -> str:
    """The id of sample `index`, such as ``3f9a01bc-00000042``."""
    return f"{fingerprint[:8]}-{index:08d}"
