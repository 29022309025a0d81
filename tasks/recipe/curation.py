"""The rules of a selection: which pairs of a dataset version are kept."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from models.registry import current
from storage.records import Record

NO_FINDING = "no finding"
EVERY_OTHER = "other"
IMAGE_BITS, FILM_COSINE, REPORT_JACCARD = 24, 0.8, 0.8
"""How alike two pairs must be for their likeness to be measured at all; rules may only be as lax as this."""


class Top(Record):
    """Keep the pairs that a gate scored best."""

    share: float = Field(gt=0, le=1, description="share kept of the pairs that are left, or of those of each finding")
    gate: str = Field(default="agreement", description="gate whose score ranks the pairs")
    per_finding: bool = Field(
        default=True, description="rank within each finding; a pair stays if one of its findings keeps it"
    )


class Utility(Record):
    """Keep the pairs of highest utility: a weighted mean of three ranks, each 0 (least) to 1 (most)."""

    share: float = Field(gt=0, le=1, description="share kept of the pairs that are left")
    agreement: float = Field(default=1.0, ge=0, description="weight of the score of `gate`")
    rarity: float = Field(default=1.0, ge=0, description="weight of the rarity of the pair's rarest finding")
    novelty: float = Field(
        default=0.0,
        ge=0,
        description="weight of the distance to the nearest other film, by embedding; 0 computes none",
    )
    gate: str = Field(default="agreement", description="gate whose score `agreement` weighs")

    @model_validator(mode="after")
    def _something_counts(self) -> Utility:
        if self.agreement + self.rarity + self.novelty == 0:
            raise ValueError("utility: agreement, rarity and novelty are all 0: give one of them a weight")
        return self


class Balance(Record):
    """Drop pairs of common findings until the findings' counts are in the proportion of `weights`.

    The finding with the fewest pairs for its weight sets the scale, unless `pairs` does.
    """

    weights: dict[str, float] = Field(
        default_factory=lambda: {EVERY_OTHER: 1.0},
        description="finding to relative count; `other` is every other, `no finding` a pair without any",
    )
    pairs: int | None = Field(
        default=None, ge=1, description="count for a weight of 1; None: what the scarcest finding allows"
    )
    tolerance: float = Field(
        default=0.1, ge=0, description="share by which a finding may exceed its target, as films show several at once"
    )

    @model_validator(mode="after")
    def _weights_are_positive(self) -> Balance:
        wrong = [name for name, weight in self.weights.items() if not 0 < weight < float("inf")]
        if wrong:
            raise ValueError(f"balance.weights.{wrong[0]}: must be above 0; to leave a finding out, cap it at 0")
        return self


class Rules(Record):
    """Which pairs are kept. Each rule applies to what the rules before it left, in the order of this list."""

    gates: bool = Field(default=True, description="drop the pairs that a gate refuses")
    thresholds: dict[str, float] = Field(
        default_factory=dict,
        description="gate to the threshold that replaces the one of the run; decided anew from the stored scores",
    )
    same_image: int = Field(default=1, ge=1, description="most pairs that may share one image, byte for byte")
    same_report: int = Field(
        default=4, ge=1, description="most pairs that may share one report, letter case and spacing aside"
    )
    near_image: int | None = Field(
        default=None, ge=0, le=IMAGE_BITS,
        description="drop a film whose perceptual hash differs from a kept one's in at most so many of 256 bits",
    )  # fmt: skip
    near_film: float | None = Field(
        default=None, ge=FILM_COSINE, le=1,
        description="drop a film whose embedding, standardised over the version, has at least this cosine with a kept "
        "one's",
    )  # fmt: skip
    near_report: float | None = Field(
        default=None, ge=REPORT_JACCARD, le=1,
        description="drop a report whose three-word runs have at least this Jaccard index with a kept one's",
    )  # fmt: skip
    top: Top | None = Field(default=None, description="keep the pairs that a gate scored best")
    utility: Utility | None = Field(default=None, description="keep the pairs of highest utility")
    balance: Balance | None = Field(default=None, description="thin out common findings")
    caps: dict[str, Annotated[int, Field(ge=0)]] = Field(
        default_factory=dict,
        description="finding to the most pairs that show it; `other` is every other, `no finding` a pair without any",
    )
    encoder: Annotated[str, AfterValidator(current)] = Field(
        default="classifier-features", description="kind of encoder for `near_film` and `novelty`"
    )
    encoder_options: dict[str, Any] = Field(default_factory=dict, description="options of the encoder")

    @property
    def name(self) -> str:
        """The selection's name where none is given: ``default``, or ten letters that change with any rule."""
        if self == Rules():
            return "default"
        return "rules-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:10]
