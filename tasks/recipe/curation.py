"""Say what a selection keeps."""

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
    """Keep the pairs that a gate scored best.

    Args:
        share: of the pairs that are left, or of those of each finding.
        gate: whose score ranks them.
        per_finding: rank within each finding; a pair stays if one of its findings keeps it.
    """

    share: float = Field(gt=0, le=1)
    gate: str = "agreement"
    per_finding: bool = True


class Utility(Record):
    """Keep the pairs that teach most: a weighted mean of three ranks, each 0 (least) to 1 (most).

    Args:
        share: of the pairs that are left.
        agreement: weight of the score of `gate`.
        rarity: weight of how rare the pair's rarest finding is.
        novelty: weight of how unlike the nearest other film is, by embedding.
        gate: whose score `agreement` ranks.
    """

    share: float = Field(gt=0, le=1)
    agreement: float = Field(default=1.0, ge=0)
    rarity: float = Field(default=1.0, ge=0)
    novelty: float = Field(default=0.0, ge=0)
    gate: str = "agreement"

    @model_validator(mode="after")
    def _something_counts(self) -> Utility:
        if self.agreement + self.rarity + self.novelty == 0:
            raise ValueError("utility: agreement, rarity and novelty are all 0: give one of them a weight")
        return self


class Balance(Record):
    """Drop pairs of common findings until the findings' counts stand as `weights` say.

    The finding with the fewest pairs for its weight sets the scale, unless `pairs` does.

    Args:
        weights: finding to relative count; ``other`` is every other, and ``no finding`` a pair without any.
        pairs: count for a weight of 1; None takes what the scarcest finding allows.
        tolerance: share by which a finding may exceed its target, since films show several at once.
    """

    weights: dict[str, float] = Field(default_factory=lambda: {EVERY_OTHER: 1.0})
    pairs: int | None = Field(default=None, ge=1)
    tolerance: float = Field(default=0.1, ge=0)

    @model_validator(mode="after")
    def _weights_are_positive(self) -> Balance:
        wrong = [name for name, weight in self.weights.items() if not 0 < weight < float("inf")]
        if wrong:
            raise ValueError(f"balance.weights.{wrong[0]}: must be above 0; to leave a finding out, cap it at 0")
        return self


class Rules(Record):
    """Which pairs are kept. Each rule sees what the ones before it left, in the order of this list.

    Args:
        gates: drop what a gate refuses.
        thresholds: gate name to threshold, in place of the one in force when the pair was made; the stored
            scores are decided anew and nothing is generated again.
        same_image: most pairs that may share one image, byte for byte.
        same_report: most pairs that may share one report, letter case and spacing aside.
        near_image: drop a film whose perceptual hash differs from a kept one's in at most so many of 256 bits.
        near_film: drop a film whose embedding has at least this cosine with a kept one's. Embeddings are
            standardised over the version first, since all chest films are alike to an encoder.
        near_report: drop a report that shares at least this share of its three-word runs with a kept one.
        top: keep the pairs that a gate scored best.
        utility: keep the pairs that teach most.
        balance: thin out common findings.
        caps: finding to most pairs that show it; ``other`` is every other, and ``no finding`` a pair without any.
        encoder: kind of encoder for `near_film` and for novelty, with `encoder_options`.
    """

    gates: bool = True
    thresholds: dict[str, float] = Field(default_factory=dict)
    same_image: int = Field(default=1, ge=1)
    same_report: int = Field(default=4, ge=1)
    near_image: int | None = Field(default=None, ge=0, le=IMAGE_BITS)
    near_film: float | None = Field(default=None, ge=FILM_COSINE, le=1)
    near_report: float | None = Field(default=None, ge=REPORT_JACCARD, le=1)
    top: Top | None = None
    utility: Utility | None = None
    balance: Balance | None = None
    caps: dict[str, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    encoder: Annotated[str, AfterValidator(current)] = "classifier-features"
    encoder_options: dict[str, Any] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """The selection's name if nobody gives one: ``default``, or ten letters that change with any rule."""
        if self == Rules():
            return "default"
        return "rules-" + hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:10]
