"""Score trials by means over films, such as the share of films whose report was found, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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


_MAIN = ""
_Means = Mapping[str, ByUnit]
"""By metric, `_MAIN` first, the means of the columns, (columns, 1 + resamples) for each unit."""


@dataclass(frozen=True, slots=True, eq=False)
class FilmValues:
    """What is averaged, for one trial.

    Args:
        names: of the columns.
        values: (films, columns) float64, NaN where a film has no part in a column.
        beside: further values of the same columns, by the name of their metric.
    """

    names: tuple[str, ...]
    values: np.ndarray
    beside: Mapping[str, np.ndarray] = field(default_factory=dict[str, np.ndarray])


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

    A column without a value on any film of the first trial is named and left out.

    Args:
        items: the trials, with predictions of the same films.
        values: of each trial.
        metric: see there.
        section: resamples, confidence and comparisons.
        seed: of the resamples.

    Raises:
        CannotScore: no column has a value.
        ValueError: two trials have other films, columns or metrics.
    """
    first, one = items[0].predictions, values[0]
    if any(item.predictions.films != first.films for item in items) or any(
        _form(each) != _form(one) for each in values
    ):
        raise ValueError("the trials have predictions of other films or for other columns")
    shape = _shape(one, section.confidence)
    counts = draw(len(first.films), first.patients, section.bootstrap, seed)
    found: dict[str, dict[int, _Means]] = {}
    for item, each in zip(items, values, strict=True):
        tables = {_MAIN: each.values, **each.beside}
        found.setdefault(item.arm, {})[item.seed] = {
            name: {unit: _means(table[:, shape.used], drawn) for unit, drawn in counts.items()}
            for name, table in tables.items()
        }
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
            {arm: {at: _macro(means[_MAIN]) for at, means in by_seed.items()} for arm, by_seed in found.items()},
            section.confidence,
        ),
        protocol=metric.protocol,
    )


@dataclass(frozen=True, slots=True)
class _Shape:
    """The columns that are scored: their numbers, names and numbers of films, and the names of the others."""

    used: list[int]
    names: tuple[str, ...]
    concerned: tuple[int, ...]
    left_out: list[str]
    films: int
    confidence: float


def _shape(one: FilmValues, confidence: float) -> _Shape:
    concerned: list[int] = (~np.isnan(one.values)).sum(axis=0).tolist()
    used = [at for at, films in enumerate(concerned) if films]
    if not used:
        raise CannotScore(f"no film has a value for {', '.join(map(repr, one.names))}")
    names = tuple(one.names[at] for at in used)
    left_out = [name for name in one.names if name not in names]
    return _Shape(used, names, tuple(concerned[at] for at in used), left_out, len(one.values), confidence)


def _form(one: FilmValues) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return one.names, tuple(one.beside)


def _means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means (columns, resamples) over the films that have a value; NaN in a resample without one."""
    known = ~np.isnan(values)
    total, films = counts @ np.where(known, values, 0.0), counts @ known.astype(np.float64)
    return np.divide(total, films, out=np.full(total.shape, np.nan), where=films > 0).T


def _macro(means: ByUnit) -> ByUnit:
    return {unit: macro_mean(table) for unit, table in means.items()}


def _scores(arm: str, by_seed: Mapping[int, _Means], shape: _Shape) -> Scores:
    parts = list(by_seed.values())
    macros = {name: [_macro(part[name]) for part in parts] for name in parts[0]}
    macro, *others = (mean_figure(found, shape.confidence) for found in macros.values())
    per_label: dict[str, LabelScore] = {}
    for row, (name, films) in enumerate(zip(shape.names, shape.concerned, strict=True)):
        of_label = {
            metric: mean_figure([{unit: table[row] for unit, table in part[metric].items()} for part in parts],
                                shape.confidence)
            for metric in macros
        }  # fmt: skip
        one = of_label.pop(_MAIN)
        ignored = shape.films - films
        per_label[name] = LabelScore(positives=films, ignored=ignored, beside=of_label, **one.model_dump())
    return Scores(
        arm=arm,
        seeds=tuple(by_seed),
        films=shape.films,
        macro=macro.value,
        per_label=per_label,
        left_out=shape.left_out,
        sd=sd_over_seeds(macros[_MAIN]),
        beside=dict(zip(list(macros)[1:], others, strict=True)),
        **macro.model_dump(exclude={"value"}),
    )
