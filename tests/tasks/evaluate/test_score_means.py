"""Means over films, paired over trials, with intervals by patient where patients are known."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.predictions import Predictions
from tasks.evaluate.protocol import TrialPredictions
from tasks.evaluate.score_means import FilmValues, MeanMetric, score_means
from tasks.recipe.training import EvaluateSection

FILMS, METRIC = 40, MeanMetric("share", "shares of a toy")
SECTION = EvaluateSection(bootstrap=400, comparisons=(("a", "b"),))


def item(arm: str, seed: int = 0, patients: tuple[str | None, ...] | None = None) -> TrialPredictions:
    films = tuple(f"film {at}" for at in range(FILMS))
    empty = np.zeros((FILMS, 1), np.float32)
    return TrialPredictions(arm, seed, Predictions(films, ("x",), empty, empty.astype(np.float64), patients))


def values(seed: int, shift: float = 0.0) -> FilmValues:
    table = np.random.default_rng(seed).random((FILMS, 2)) + shift
    table[:10, 1] = np.nan
    return FilmValues(("all", "some"), table)


def test_means_are_over_the_films_concerned_and_seeds_are_averaged() -> None:
    one, two = values(1), values(2)
    table = score_means([item("a", 0), item("a", 1)], [one, two], METRIC, SECTION)
    found = table.of("a")
    assert found.per_label["some"].value == pytest.approx(
        (np.nanmean(one.values[:, 1]) + np.nanmean(two.values[:, 1])) / 2
    )
    assert (found.per_label["some"].positives, found.per_label["some"].ignored) == (30, 10)
    assert found.macro == pytest.approx(np.mean([part.value for part in found.per_label.values()]))
    assert found.low < found.macro < found.high
    assert (table.metric, table.unit, len(table.trials)) == ("share", "film", 2)


def test_a_constant_difference_has_an_interval_of_no_width() -> None:
    base = values(1)
    better = FilmValues(base.names, base.values + 0.25)
    (difference,) = score_means([item("a"), item("b")], [better, base], METRIC, SECTION).differences
    assert (difference.difference, difference.low, difference.high) == pytest.approx((0.25, 0.25, 0.25))


def test_intervals_are_over_patients_where_they_are_known() -> None:
    patients = tuple(f"patient {at // 10}" for at in range(FILMS))
    by_patient = np.repeat([0.0, 0.0, 1.0, 1.0], 10)[:, None]
    found = score_means(
        [item("a", patients=patients)], [FilmValues(("x",), by_patient)], METRIC,
        SECTION.model_copy(update={"comparisons": ()}),
    )  # fmt: skip
    scores = found.of("a")
    assert (found.unit, found.patients) == ("patient", 4)
    assert scores.low_film is not None
    assert scores.high_film is not None
    assert scores.high - scores.low > 2 * (scores.high_film - scores.low_film)


def test_a_column_without_a_film_and_trials_of_other_films_are_refused() -> None:
    empty = FilmValues(("x",), np.full((FILMS, 1), np.nan))
    with pytest.raises(CannotScore, match="no film has a value for 'x'"):
        score_means([item("a")], [empty], METRIC, SECTION)
    with pytest.raises(ValueError, match="other columns"):
        score_means([item("a"), item("b")], [values(1), empty], METRIC, SECTION)
