"""Score predictions in files: every metric per label and macro, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.calibration import are_probabilities, expected_calibration_error
from tasks.evaluate.metrics.delong import clustered_delong
from tasks.evaluate.metrics.macro import with_both_classes
from tasks.evaluate.metrics.thresholds import at_threshold, oracle, threshold_from
from tasks.evaluate.score_files.intervals import Bootstrap, resample
from tasks.evaluate.score_files.join import Allowances, ScoredFiles, join
from tasks.evaluate.score_files.problems import FilesDoNotFit, counted, examples
from tasks.evaluate.score_files.read import Columns, read_table
from tasks.evaluate.score_files.report import Estimate, FileScores, LabelReport, MacroReport

if TYPE_CHECKING:
    from models.contracts import ProgressCallback


@dataclass(frozen=True, slots=True)
class Pair:
    """A file of predictions and the file with their labels; they may be one and the same."""

    predictions: Path
    labels: Path


def score_files(
    pair: Pair,
    columns: Columns,
    allow: Allowances,
    bootstrap: Bootstrap,
    validation: Pair | None = None,
    on_progress: ProgressCallback | None = None,
) -> FileScores:
    """Score a file of predictions against a file of labels.

    Args:
        pair: the files.
        columns: which columns hold what; `prefix` is that of the predictions.
        allow: what is left out or mapped instead of refused.
        bootstrap: how intervals are made.
        validation: other films, which give the thresholds of F1, read in the same way; None leaves F1 out.
        on_progress: told how many resamples are done.

    Raises:
        FilesDoNotFit, CannotScore: what is in the files cannot be scored.
        OSError: a file cannot be read.
    """
    files = read_pair(pair, columns, allow)
    thresholds = {} if validation is None else _thresholds(files, read_pair(validation, columns, allow))
    used = with_both_classes(files.labels.values, files.labels.known)
    if not used:
        raise CannotScore(f"no label of {pair.labels} is present in some films and absent in others")
    found = resample(files, used, bootstrap, on_progress)
    labels = [
        _label(files, at, thresholds, {name: metric.of(row, bootstrap.confidence) for name, metric in found.items()})
        for row, at in enumerate(used)
    ]
    return FileScores(
        predictions=str(pair.predictions),
        labels=str(pair.labels),
        validation=None if validation is None else str(validation.predictions),
        films=len(files.films),
        patients=None if files.patients is None else len(set(files.patients)),
        unit="film" if files.patients is None else "patient",
        bootstrap=bootstrap.resamples,
        confidence=bootstrap.confidence,
        seed=bootstrap.seed,
        uncertain=allow.uncertain,
        uncertain_labels=dict(files.labels.uncertain),
        left_out=[name for at, name in enumerate(files.labels.names) if at not in used],
        not_joined=list(files.left_out),
        macro=_macro(labels, {name: metric.macro(bootstrap.confidence) for name, metric in found.items()}),
        per_label=labels,
    )


def read_pair(pair: Pair, columns: Columns, allow: Allowances) -> ScoredFiles:
    """Predictions with their labels.

    Raises:
        FilesDoNotFit, CannotScore: what is in the files cannot be scored.
        OSError: a file cannot be read.
    """
    predictions = read_table(pair.predictions, "predictions", replace(columns, listed=None))
    asked = [name for name, _ in predictions.columns.values()]
    labels = read_table(pair.labels, "labels", replace(columns, prefix=""), asked)
    if columns.patients is not None and predictions.patients is None and labels.patients is None:
        raise FilesDoNotFit([f"neither {pair.labels} nor {pair.predictions} has a column {columns.patients!r}"])
    return join(predictions, labels, allow)


def _label(
    files: ScoredFiles, at: int, thresholds: Mapping[str, float], estimates: Mapping[str, Estimate]
) -> LabelReport:
    scores, truth, known = files.label(at)
    name = files.labels.names[at]
    best = oracle(scores, truth)
    point = at_threshold(scores, truth, thresholds[name]) if name in thresholds else None
    return LabelReport(
        label=name,
        films=int(known.sum()),
        positives=int(truth.sum()),
        ignored=int((~known).sum()),
        auroc=estimates["auroc"],
        auroc_se=_standard_error(files, at),
        auprc=estimates["auprc"],
        f1=point.f1 if point else None,
        threshold=point.threshold if point else None,
        sensitivity=point.sensitivity if point else None,
        specificity=point.specificity if point else None,
        f1_oracle=best.f1,
        threshold_oracle=best.threshold,
        ece=expected_calibration_error(scores, truth) if are_probabilities(files.scores) else None,
    )


def _standard_error(files: ScoredFiles, at: int) -> float | None:
    scores, truth, known = files.label(at)
    units = [unit for unit, there in zip(files.patients or files.films, known, strict=True) if there]
    of_class = [{unit for unit, value in zip(units, truth, strict=True) if value == side} for side in (0, 1)]
    return clustered_delong(scores, truth, units).standard_error() if min(map(len, of_class)) > 1 else None


def _macro(labels: Sequence[LabelReport], estimates: Mapping[str, Estimate]) -> MacroReport:
    return MacroReport(
        labels=len(labels),
        auroc=estimates["auroc"],
        auprc=estimates["auprc"],
        f1=_mean([item.f1 for item in labels]),
        f1_oracle=float(np.mean([item.f1_oracle for item in labels])),
        ece=_mean([item.ece for item in labels]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean where every label has the figure."""
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if len(there) == len(values) else None


def _thresholds(files: ScoredFiles, validation: ScoredFiles) -> dict[str, float]:
    """The threshold of each label that is positive in some validation film.

    Raises:
        FilesDoNotFit: a film is on both sides.
    """
    there = set(files.films)
    if shared := [film for film in validation.films if film in there]:
        raise FilesDoNotFit([f"{counted(len(shared), 'film')} both scored and in validation: {examples(shared)}"])
    found = {name: validation.label(at) for at, name in enumerate(validation.labels.names)}
    return {name: threshold_from(scores, truth) for name, (scores, truth, _) in found.items() if truth.any()}
