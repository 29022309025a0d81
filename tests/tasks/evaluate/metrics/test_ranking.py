"""AUROC and average precision: what scikit-learn says to 1e-12, for every resample at once."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from tasks.evaluate.metrics.bootstrap import draw_counts
from tasks.evaluate.metrics.ranking import auroc, average_precision, resampled_auroc, resampled_average_precision
from tests.tasks.evaluate.metrics.films import ScoredFilms, scored_films

METRICS = [(auroc, roc_auc_score), (average_precision, average_precision_score)]
RESAMPLED = [(resampled_auroc, roc_auc_score), (resampled_average_precision, average_precision_score)]


@pytest.mark.parametrize(("ours", "theirs"), METRICS)
@given(films=scored_films())
def test_agrees_with_scikit_learn_to_1e_12_also_with_ties(ours, theirs, films: ScoredFilms) -> None:
    assert ours(films.scores, films.labels) == pytest.approx(theirs(films.labels, films.scores), abs=1e-12, rel=0)


@pytest.mark.parametrize(("ours", "theirs"), RESAMPLED)
@given(films=scored_films(), seed=st.integers(0, 1000))
def test_counts_are_weights(ours, theirs, films: ScoredFilms, seed: int) -> None:
    counts = draw_counts(len(films.scores), 6, seed)
    found = ours(films.scores, films.labels, counts)
    for row, value in zip(counts, found, strict=True):
        if len(set(films.labels[row > 0])) < 2:
            assert np.isnan(value)
        else:
            expected = theirs(films.labels, films.scores, sample_weight=row)
            assert value == pytest.approx(expected, abs=1e-12, rel=0)


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_large_logits_are_no_ties(metric) -> None:
    scores = np.array([40.0, 40.5, 41.0, 500.0]) + 1e4
    assert metric(scores, np.array([0, 0, 1, 1])) == 1.0, "a sigmoid would make all of them 1"


@pytest.mark.parametrize("metric", [auroc, average_precision])
@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_alone_has_no_metric(metric, labels: list[int]) -> None:
    assert np.isnan(metric(np.arange(len(labels), dtype=float), np.array(labels)))


@pytest.mark.parametrize("metric", [resampled_auroc, resampled_average_precision])
def test_a_resample_with_one_class_is_not_a_number(metric) -> None:
    counts = np.array([[2, 0, 1], [0, 3, 0], [1, 1, 1]], np.float32)
    found = metric(np.array([0.1, 0.9, 0.4]), np.array([0, 1, 0]), counts)
    assert np.isnan(found).tolist() == [True, True, False]


@pytest.mark.parametrize("metric", [auroc, average_precision])
def test_what_cannot_be_ranked_is_refused(metric) -> None:
    with pytest.raises(ValueError, match="1 of 3 scores are not finite"):
        metric(np.array([0.1, np.nan, 0.3]), np.array([0, 1, 1]))
    with pytest.raises(ValueError, match="1 of 3 labels are neither 0 nor 1, the first is -1"):
        metric(np.array([0.1, 0.2, 0.3]), np.array([0, -1, 1]))
    with pytest.raises(ValueError, match=r"shape \(3,\), labels of \(2,\)"):
        metric(np.array([0.1, 0.2, 0.3]), np.array([0, 1]))


@pytest.mark.parametrize("metric", [resampled_auroc, resampled_average_precision])
def test_many_films_are_worked_on_in_parts(metric, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scores, labels, counts = rng.random(50), rng.integers(0, 2, 50), draw_counts(50, 7, seed=1)
    whole = metric(scores, labels, counts)
    monkeypatch.setattr("tasks.evaluate.metrics.bootstrap._CELLS", 150)
    assert (metric(scores, labels, counts) == whole).all()


def test_a_whole_table_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    counts = draw_counts(800, 1000, seed=0)
    start = time.process_time()
    for _ in range(18):
        resampled_auroc(rng.random(800), (rng.random(800) < 0.09).astype(int), counts)
    assert (time.process_time() - start) * 7 < 20, "1,000 resamples of 18 findings and 7 arms take over 20 s"
