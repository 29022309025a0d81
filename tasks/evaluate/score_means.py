"""Score trials by means over films, such as the share of films whose report was found, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.compare import compare
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.macro import macro_mean
from tasks.evaluate.resampled import ByUnit, draw, drawn_units, mean_figure, sd_over_seeds
from tasks.evaluate.scores import LabelScore, Scores, ScoreTable

if TYPE_CHECKING:
    from tasks.evaluate.protocol import TrialPredictions
    from tasks.recipe.training import EvaluateSection


@dataclass(frozen=True, slots=True, eq=False)
class FilmValues:
    """What is averaged, for one trial.

    Args:
        names: of the columns.
        values: (films, columns) float64, NaN where a film has no part in a column.
    """

    names: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True, slots=True)
class MeanMetric:
    """What the means are of, for the table: the name of the metric, and how it was measured in words."""

    name: str
    protocol: str


def score_means(
    items: Sequence[TrialPredictions], values: Sequence[FilmValues], metric: MeanMetric, section: EvaluateSection,
    *, seed: int = 0,
) -> ScoreTable:  # fmt: skip
    """The mean of each column over the films, and the mean of these, of every trial on the same resamples.

    Args:
        items: the trials, with predictions of the same films.
        values: of each trial.
        metric: see there.
        section: resamples, confidence and comparisons.
        seed: of the resamples.

    Raises:
        CannotScore: a column has no film.
        ValueError: two trials have other films or columns.
    """
    first, names = items[0].predictions, values[0].names
    if any(item.predictions.films != first.films for item in items) or any(one.names != names for one in values):
        raise ValueError("the trials have predictions of other films or for other columns")
    counts = draw(len(first.films), first.patients, section.bootstrap, seed)
    found: dict[str, dict[int, Mapping[str, np.ndarray]]] = {}
    for item, one in zip(items, values, strict=True):
        _check_films(one)
        means = {unit: _means(one.values, drawn) for unit, drawn in counts.items()}
        found.setdefault(item.arm, {})[item.seed] = means
    concerned = (~np.isnan(values[0].values)).sum(axis=0).tolist()
    shape = _Shape(names, tuple(concerned), len(first.films), section.confidence)
    return ScoreTable(
        metric=metric.name,
        bootstrap=section.bootstrap,
        confidence=section.confidence,
        seed=seed,
        **drawn_units(first.patients),
        scores=[_scores(arm, by_seed, shape) for arm, by_seed in found.items()],
        trials=[_scores(item.arm, {item.seed: found[item.arm][item.seed]}, shape) for item in items],
        differences=compare(
            section.compared(tuple(found)),
            {arm: {at: _macro(means) for at, means in by_seed.items()} for arm, by_seed in found.items()},
            section.confidence,
        ),
        protocol=metric.protocol,
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    names: tuple[str, ...]
    concerned: tuple[int, ...]
    films: int
    confidence: float


def _means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means (columns, resamples) over the films that have a value; NaN in a resample without one."""
    known = ~np.isnan(values)
    total, films = counts @ np.where(known, values, 0.0), counts @ known.astype(np.float64)
    return np.divide(total, films, out=np.full(total.shape, np.nan), where=films > 0).T


def _macro(means: Mapping[str, np.ndarray]) -> ByUnit:
    return {unit: macro_mean(table) for unit, table in means.items()}


def _scores(arm: str, by_seed: Mapping[int, Mapping[str, np.ndarray]], shape: _Shape) -> Scores:
    parts = list(by_seed.values())
    macros = [_macro(part) for part in parts]
    macro = mean_figure(macros, shape.confidence)
    per_label: dict[str, LabelScore] = {}
    for row, (name, films) in enumerate(zip(shape.names, shape.concerned, strict=True)):
        rows = [{unit: table[row] for unit, table in part.items()} for part in parts]
        one = mean_figure(rows, shape.confidence)
        per_label[name] = LabelScore(positives=films, ignored=shape.films - films, **one.model_dump())
    return Scores(
        arm=arm,
        seeds=tuple(by_seed),
        films=shape.films,
        macro=macro.value,
        per_label=per_label,
        sd=sd_over_seeds(macros),
        **macro.model_dump(exclude={"value"}),
    )


def _check_films(one: FilmValues) -> None:
    empty = [name for name, column in zip(one.names, one.values.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise CannotScore(f"no film has a value for {empty[0]!r}")
