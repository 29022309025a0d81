"""Scores of predictions in files, per label and macro, with intervals by patient and by film."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from pydantic import Field

from storage.records import Record

UNITS = ("patient", "film")


class Interval(Record):
    """Percentile interval of a bootstrap."""

    low: float
    high: float


class Estimate(Record):
    """A figure with its interval over resamples of patients (None where no patient is known) and of films.

    The interval to quote is `by_patient`: films of one patient are alike, and resampling films as if they were not
    makes `by_film` too narrow.
    """

    value: float
    by_patient: Interval | None = None
    by_film: Interval


class LabelReport(Record):
    """One label.

    `ignored` films have an uncertain label and count nowhere. `auroc_se` is DeLong's standard error, clustered by
    patient where patients are known; None with fewer than two films (patients) of a class. `f1` is that at
    `threshold`, which validation films gave, None without them; `f1_oracle` is the best that any threshold has on
    these very films, at `threshold_oracle`, an upper bound. `ece` is None unless every score of the file is a
    probability.
    """

    label: str
    films: int
    positives: int
    ignored: int
    auroc: Estimate
    auroc_se: float | None
    auprc: Estimate
    f1: float | None
    threshold: float | None
    sensitivity: float | None
    specificity: float | None
    f1_oracle: float
    threshold_oracle: float
    ece: float | None


class MacroReport(Record):
    """Unweighted means over the labels that can be scored; `labels` says how many these are."""

    labels: int
    auroc: Estimate
    auprc: Estimate
    f1: float | None
    f1_oracle: float
    ece: float | None


class FileScores(Record):
    """What predictions come to against labels.

    `left_out` names labels of which the films have only one class, `not_joined` tells what one file alone had, and
    `unit` is what the quoted intervals resample.
    """

    predictions: str
    labels: str
    validation: str | None
    films: int
    patients: int | None
    unit: str
    bootstrap: int
    confidence: float
    seed: int
    uncertain: str
    uncertain_labels: dict[str, int]
    left_out: list[str]
    not_joined: list[str] = Field(default_factory=list[str])
    macro: MacroReport
    per_label: list[LabelReport]


COLUMNS: tuple[str, ...] = (
    "label", "films", "positives", "ignored", "auroc", "auroc_low_patient", "auroc_high_patient", "auroc_low_film",
    "auroc_high_film", "auroc_se", "auprc", "auprc_low_patient", "auprc_high_patient", "auprc_low_film",
    "auprc_high_film", "f1", "threshold", "sensitivity", "specificity", "f1_oracle", "threshold_oracle", "ece",
)  # fmt: skip
"""Of the CSV."""


def to_csv(scores: FileScores) -> str:
    """A line for each label and one called ``macro``; what is not defined is blank, numbers are in full."""
    sink = io.StringIO()
    writer = csv.DictWriter(sink, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for item in scores.per_label:
        plain = item.model_dump(exclude={"auroc", "auprc"})
        writer.writerow({**plain, **dict(_cells("auroc", item.auroc)), **dict(_cells("auprc", item.auprc))})
    macro = scores.macro
    plain = {"label": "macro", "films": scores.films, **macro.model_dump(include={"f1", "f1_oracle", "ece"})}
    writer.writerow({**plain, **dict(_cells("auroc", macro.auroc)), **dict(_cells("auprc", macro.auprc))})
    return sink.getvalue()


def _cells(metric: str, estimate: Estimate) -> Iterator[tuple[str, float]]:
    yield metric, estimate.value
    for unit, found in zip(UNITS, (estimate.by_patient, estimate.by_film), strict=True):
        if found is not None:
            yield f"{metric}_low_{unit}", found.low
            yield f"{metric}_high_{unit}", found.high
