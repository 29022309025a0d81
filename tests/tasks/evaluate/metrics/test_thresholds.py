"""Thresholds are chosen on one set of films and applied to another; F1 is scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, recall_score

from tasks.evaluate.metrics.thresholds import at_threshold, oracle, threshold_from
from tests.tasks.evaluate.metrics.films import ScoredFilms, scored_films


@given(films=scored_films(), at=st.integers(0, 59))
def test_what_a_threshold_does_is_what_scikit_learn_says(films: ScoredFilms, at: int) -> None:
    threshold = float(films.scores[at % len(films.scores)])
    found, taken = at_threshold(films.scores, films.labels, threshold), films.scores >= threshold
    assert found.f1 == pytest.approx(f1_score(films.labels, taken), abs=1e-12)
    assert found.sensitivity == pytest.approx(recall_score(films.labels, taken), abs=1e-12)
    assert found.specificity == pytest.approx(recall_score(films.labels, taken, pos_label=0), abs=1e-12)


@given(films=scored_films())
def test_no_threshold_does_better_than_the_oracle(films: ScoredFilms) -> None:
    best = oracle(films.scores, films.labels)
    each = [at_threshold(films.scores, films.labels, float(score)).f1 for score in films.scores]
    assert best.f1 == max(each)
    assert best.threshold == max(score for score, f1 in zip(films.scores, each, strict=True) if f1 == best.f1)


def test_a_threshold_from_validation_may_be_worse_on_test_than_the_oracle() -> None:
    labels = np.array([0, 0, 1, 1])
    threshold = threshold_from(np.array([0.1, 0.5, 0.6, 0.9]), labels)
    test = np.array([0.1, 0.2, 0.4, 0.9])
    assert threshold == 0.6
    assert at_threshold(test, labels, threshold).f1 == pytest.approx(2 / 3)
    assert (oracle(test, labels).f1, oracle(test, labels).threshold) == (1.0, 0.4)


def test_films_of_one_class_have_half_an_operating_point() -> None:
    none = at_threshold(np.array([0.1, 0.9]), np.array([0, 0]), 0.5)
    assert (none.f1, none.specificity) == (0.0, 0.5)
    assert np.isnan(none.sensitivity)
    with pytest.raises(ValueError, match="no film is positive"):
        threshold_from(np.array([0.1, 0.9]), np.array([0, 0]))
