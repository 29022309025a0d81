"""Thresholds are chosen on one set of films and applied to another; F1 is scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, matthews_corrcoef, recall_score

from tasks.evaluate.metrics.thresholds import at_threshold, oracle, resampled_decisions, threshold_from
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


@given(films=scored_films(), at=st.integers(0, 59), seed=st.integers(0, 100))
def test_decisions_in_a_resample_are_what_scikit_learn_says_of_its_films(
    films: ScoredFilms, at: int, seed: int
) -> None:
    threshold = float(films.scores[at % len(films.scores)])
    counts = np.random.default_rng(seed).integers(0, 3, (4, len(films.scores))).astype(np.float32)
    found = resampled_decisions(films.scores, films.labels, threshold, counts)
    for row, times in enumerate(counts.astype(int)):
        labels, taken = np.repeat(films.labels, times), np.repeat(films.scores >= threshold, times)
        if len(set(labels.tolist())) < 2:
            assert np.isnan([found.f1[row], found.mcc[row]]).all()
            continue
        assert found.f1[row] == pytest.approx(f1_score(labels, taken), abs=1e-12)
        assert found.mcc[row] == pytest.approx(matthews_corrcoef(labels, taken), abs=1e-12)
        assert found.missed[row] == pytest.approx(1 - recall_score(labels, taken), abs=1e-12)


@given(films=scored_films())
def test_the_threshold_for_the_correlation_is_the_best_that_scikit_learn_finds(films: ScoredFilms) -> None:
    each = [matthews_corrcoef(films.labels, films.scores >= score) for score in films.scores]
    threshold = threshold_from(films.scores, films.labels, "MCC")
    assert threshold in films.scores
    assert matthews_corrcoef(films.labels, films.scores >= threshold) == pytest.approx(max(each), abs=1e-12)


def test_f1_and_the_correlation_may_want_other_thresholds() -> None:
    scores, labels = np.arange(4.0), np.array([0, 1, 0, 1])
    assert (threshold_from(scores, labels, "F1"), threshold_from(scores, labels, "MCC")) == (1.0, 3.0)


def test_a_resample_without_a_positive_misses_none() -> None:
    found = resampled_decisions(np.array([0.1, 0.9]), np.array([0, 1]), 0.5, np.array([[1.0, 0.0]]))
    assert np.isnan([found.f1[0], found.mcc[0], found.missed[0]]).all()
