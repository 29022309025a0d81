"""What an evaluation says: a metric per label, its macro mean, and differences between arms."""

from __future__ import annotations

from pydantic import Field

from storage.records import Record


class LabelScore(Record):
    """One label: the metric with its interval, and how many of the films show it or were left out as uncertain."""

    value: float
    low: float
    high: float
    positives: int
    ignored: int = 0


class Scores(Record):
    """What one arm reached on one set of films, with one training seed or on average over several.

    `macro` is the mean over the labels in `per_label`; `left_out` names those that all films show or none, of the
    films whose label is known. `sd` is the standard deviation of `macro` over the seeds, None for a single one.
    """

    arm: str
    seeds: tuple[int, ...]
    films: int
    macro: float
    low: float
    high: float
    per_label: dict[str, LabelScore]
    left_out: list[str] = Field(default_factory=list)
    sd: float | None = None


class Difference(Record):
    """Macro score of `arm` less that of `baseline`, on average over the seeds that both have.

    The interval is from the same resamples of the same films; `by_seed` holds the difference of each seed.
    """

    arm: str
    baseline: str
    difference: float
    low: float
    high: float
    by_seed: dict[int, float] = Field(default_factory=dict[int, float])


class ScoreTable(Record):
    """Every arm, every comparison, and how they were measured, for one evaluation task.

    `scores` has one entry an arm, averaged over its seeds, and `trials` one an arm and seed. `uncertain` is what
    became of uncertain labels, and `uncertain_labels` how many there were by label. `seed` is that of the resamples.
    """

    task: str = ""
    dataset: str = ""
    metric: str = "AUROC"
    bootstrap: int
    confidence: float
    seed: int
    scores: list[Scores]
    trials: list[Scores] = Field(default_factory=list[Scores])
    differences: list[Difference]
    protocol: str
    uncertain: str = "refuse"
    uncertain_labels: dict[str, int] = Field(default_factory=dict)

    def of(self, arm: str, seed: int | None = None) -> Scores:
        """The scores of one arm, on average over its seeds or with one of them.

        Raises:
            KeyError: that arm was not evaluated, or not with that seed.
        """
        for scores in self.scores if seed is None else self.trials:
            if scores.arm == arm and (seed is None or scores.seeds == (seed,)):
                return scores
        known = ", ".join(item.arm for item in self.scores)
        raise KeyError(f"no scores of arm {arm!r}{'' if seed is None else f' with seed {seed}'}; there are {known}")


class RunScores(Record):
    """``runs/<run>/scores.json``: one table per evaluation task.

    `question` is a hash of everything that was asked: checkpoints, tasks, test set, resamples, comparisons.
    `predictions` refers to what the scores were computed from: by task, the key of each trial's predictions.
    """

    format: int = 2
    run: str
    dataset: str
    question: str
    predictions: dict[str, list[str]]
    tables: list[ScoreTable] = Field(min_length=1)
