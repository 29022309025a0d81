"""Say what a selection keeps."""

from __future__ import annotations

from pydantic import Field

from storage.records import Record


class Rules(Record):
    """Which pairs are kept.

    Args:
        same_image: most pairs that may share one image, byte for byte.
        same_report: most pairs that may share one report, letter case and spacing aside.
        gates: drop what a gate refuses.
        thresholds: gate name to threshold, in place of the one in force when the pair was made; the stored
            scores are decided anew and nothing is generated again.
    """

    same_image: int = Field(default=1, ge=1)
    same_report: int = Field(default=4, ge=1)
    gates: bool = True
    thresholds: dict[str, float] = Field(default_factory=dict)
