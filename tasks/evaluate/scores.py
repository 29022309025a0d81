"""What an evaluation says: AUROC per finding, its macro mean, and differences between arms."""

from __future__ import annotations

from pydantic import Field

from storage.records import Record


class FindingScore(Record):
    """One finding: AUROC with its interval, and how many of the films show it or were left out as uncertain."""

    auroc: float
    low: float
    high: float
    positives: int
    ignored: int = 0


class Scores(Record):
    """What one arm reached on one set of films.

    `macro` is the mean over the findings in `per_finding`; `left_out` names those that all films show or none, of the
    films whose label is known.
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
    """``runs/<run>/scores.json``: every arm, every comparison, and how they were measured.

    `uncertain` is what became of uncertain labels, and `uncertain_labels` how many there were by finding.
    """

    dataset: str
    bootstrap: int
    confidence: float
    seed: int
    scores: list[Scores]
    differences: list[Difference]
    protocol: str
    uncertain: str = "refuse"
    uncertain_labels: dict[str, int] = Field(default_factory=dict)

    def of(self, arm: str) -> Scores:
        """The scores of one arm.

        Raises:
            KeyError: that arm was not evaluated.
        """
        for scores in self.scores:
            if scores.arm == arm:
                return scores
        raise KeyError(f"no scores of arm {arm!r}; there are {', '.join(item.arm for item in self.scores)}")
