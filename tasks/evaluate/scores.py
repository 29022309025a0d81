"""The scores of an evaluation: a metric per label, its macro mean, and differences between arms."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import stdev
from typing import Any, Literal

from pydantic import Field

from storage.records import Record

Group = Literal["head", "body", "tail"]
GROUPS: tuple[Group, ...] = ("head", "body", "tail")


class Figure(Record):
    """A metric with its interval over what is resampled (`ScoreTable.unit`).

    `low_film` and `high_film` are those over films where patients are resampled, and None where films are: films of
    one patient are alike, so they are too narrow.
    """

    value: float
    low: float
    high: float
    low_film: float | None = None
    high_film: float | None = None


class LabelScore(Figure):
    """One label: the metric with its interval, and how many of the films show it or were left out as uncertain.

    `auprc` is the average precision; None in tables of version 0.2 and of other metrics. `beside` has further metrics
    of the same resamples, by name. `thresholds` holds where a score is taken for the finding, by the name of what is
    best there, and is empty for a mean over several seeds, each of which has its own.
    """

    positives: int
    ignored: int = 0
    auprc: Figure | None = None
    beside: dict[str, Figure] = Field(default_factory=dict[str, Figure])
    thresholds: dict[str, float] = Field(default_factory=dict[str, float])


class GroupScore(Figure):
    """The macro score of some labels; `positives` holds how many training pairs of the arm have each of them.

    With several seeds these are means over the seeds.
    """

    positives: dict[str, float]


class Scores(Record):
    """What one arm reached on one set of films, with one training seed or on average over several.

    `macro` is the mean over the labels in `per_label`; `left_out` names those that cannot be scored, as when all films
    whose label is known show it, or none. `sd` is the standard deviation of `macro` over the seeds, None for a single
    one. Intervals are as in `Figure`; `auprc` is the macro average precision, `beside` the macro means of further
    metrics, each over the labels that have it: those in `without_threshold` are shown by all validation films or by
    none, so that no threshold was chosen. `groups` splits the labels by how often the arm's own training pairs have
    them: the commonest third is the head, then body and tail; `ungrouped` says why there are none. Arms with other
    pairs have other groups.
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
    low_film: float | None = None
    high_film: float | None = None
    auprc: Figure | None = None
    beside: dict[str, Figure] = Field(default_factory=dict[str, Figure])
    without_threshold: list[str] = Field(default_factory=list[str])
    groups: dict[Group, GroupScore] = Field(default_factory=dict[Group, GroupScore])
    ungrouped: str = ""


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
    low_film: float | None = None
    high_film: float | None = None


class Subgroup(Record):
    """The films of one group, such as those of women, for one arm.

    `auroc` is the macro mean over `Subgroups.findings`. `missed` is the share of the films with a finding in which no
    finding is predicted (under-diagnosis), `gap` that share less that of the other groups together; `gaps` has the
    same for each finding: the share of its films in which it is not predicted, less that of the others. All are on
    average over the seeds of the arm; None, or not there, where too few films show a finding.
    """

    name: str
    films: int
    patients: int | None = None
    auroc: Figure | None = None
    missed: Figure | None = None
    gap: Figure | None = None
    gaps: dict[str, Figure] = Field(default_factory=dict[str, Figure])


class Subgroups(Record):
    """The test films of one arm by one attribute: ``sex``, ``age``, ``view`` or ``site``.

    `findings` are those with both classes in every group. `too_few` are groups that are not scored with their films,
    `unknown` counts films of which nobody knows the group. `why` says why there are no groups or no rates of missed
    films; empty where there are.
    """

    arm: str
    attribute: str
    groups: list[Subgroup] = Field(default_factory=list[Subgroup])
    too_few: dict[str, int] = Field(default_factory=dict[str, int])
    unknown: int = 0
    findings: list[str] = Field(default_factory=list[str])
    why: str = ""


class ScoreTable(Record):
    """Every arm, every comparison, and how they were measured, for one evaluation task.

    `scores` has one entry an arm, averaged over its seeds, and `trials` one an arm and seed. `uncertain` is what
    became of uncertain labels, and `uncertain_labels` how many there were by label. `seed` is that of the resamples,
    `unit` what they draw, and `patients` how many there are where they are known. `options` are those of the task that
    are not its defaults. `task_hash` changes with whatever changes its predictions beside the model: kind, options,
    prompts, test set; `task_version` is that of the task's file, None where it was asked for by kind. `validation`
    names the films that thresholds come from; where a task takes some and there are none, `unvalidated` says why.
    `probability` says what is taken for the probability of a finding; empty where scores state none. `subgroups` has
    the groups of films that the test set tells apart, where the task classifies films.
    """

    task: str = ""
    task_hash: str = ""
    task_version: int | None = None
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    dataset: str = ""
    metric: str = "AUROC"
    bootstrap: int
    confidence: float
    seed: int
    unit: Literal["film", "patient"] = "film"
    patients: int | None = None
    scores: list[Scores]
    trials: list[Scores] = Field(default_factory=list[Scores])
    differences: list[Difference]
    protocol: str
    validation: str = ""
    unvalidated: str = ""
    probability: str = ""
    uncertain: str = "refuse"
    uncertain_labels: dict[str, int] = Field(default_factory=dict)
    subgroups: list[Subgroups] = Field(default_factory=list[Subgroups])

    @property
    def name(self) -> str:
        """The task with its options, such as ``zero_shot-caption-pair``: what tells tables of one task apart."""
        return re.sub(r"[^\w.-]+", "-", "-".join((self.task, *map(str, self.options.values()))))

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


class Spread(Record):
    """How far the macro score of an arm moves with the options of one task, such as prompts and rule.

    `macros` holds it by table name; `sd` is the standard deviation over these tables.
    """

    task: str
    arm: str
    macros: dict[str, float]
    lowest: float
    highest: float
    sd: float


class RunScores(Record):
    """``runs/<run>/scores.json``: one table per evaluation task.

    `question` is a hash of everything that was asked: checkpoints, tasks, test set, resamples, comparisons.
    `predictions` refers to what the scores were computed from: by task, the key of each trial's predictions. `spreads`
    has one entry for each arm and task that was asked with several options.
    """

    format: int = 2
    run: str
    dataset: str
    question: str
    predictions: dict[str, list[str]]
    tables: list[ScoreTable] = Field(min_length=1)
    spreads: list[Spread] = Field(default_factory=list[Spread])


def spreads_of(tables: Sequence[ScoreTable]) -> list[Spread]:
    """How far each arm's macro score moves between tables of one task, metric and group; none where there is one."""

    def asked(table: ScoreTable) -> tuple[str, str, str]:
        return table.task, table.metric, str(table.options.get("group") or "")

    found: list[Spread] = []
    for task, metric, group in dict.fromkeys(map(asked, tables)):
        alike = [table for table in tables if asked(table) == (task, metric, group)]
        for arm in [item.arm for item in alike[0].scores] if len(alike) > 1 else []:
            macros = {table.name: table.of(arm).macro for table in alike}
            values = list(macros.values())
            found.append(
                Spread(task=task, arm=arm, macros=macros, lowest=min(values), highest=max(values), sd=stdev(values))
            )
    return found
