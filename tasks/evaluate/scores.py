"""What an evaluation says: AUROC per finding, its macro mean, and differences between arms."""

from __future__ import annotations

from pydantic import Field

from storage.records import Record


class FindingScore(Record):
    """One finding: AUROC with its interval and how many of the films show it."""

    auroc: float
    low: float
    high: float
    positives: int


class Scores(Record):
    """What one arm reached on one set of films.

    `macro` is the mean over the findings in `per_finding`; `left_out` names those that all films show or none.
    """

    arm: str
    dataset: str
    films: int
    macro: float
    low: float
    high: float
    per_finding: dict[str, FindingScore]
    left_out: list[str] = Field(default_factory=list)


class Difference(Record):
    """Macro AUROC of `arm` less that of `baseline`, interval from the same resamples of the same films."""

    arm: str
    baseline: str
    difference: float
    low: float
    high: float


class ScoreTable(Record):
    """``runs/<run>/scores.json``: every arm, every comparison, and how they were measured."""

    dataset: str
    bootstrap: int
    confidence: float
    seed: int
    scores: list[Scores]
    differences: list[Difference]
    protocol: str

    def of(self, arm: str) -> Scores:
        """The scores of one arm.

        Raises:
            KeyError: that arm was not evaluated.
        """
        for scores in self.scores:
            if scores.arm == arm:
                return scores
        raise KeyError(f"no scores of arm {arm!r}; there are {', '.join(item.arm for item in self.scores)}")
