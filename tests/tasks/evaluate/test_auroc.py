"""Resampled AUROC: what scikit-learn says, for every resample at once."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tasks.evaluate.auroc import auroc, draw_counts, resampled_auroc


@given(seed=st.integers(0, 10_000), films=st.integers(2, 60), levels=st.sampled_from([2, 5, 1000]))
def test_agrees_with_scikit_learn_also_with_ties(seed, films, levels):
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, levels, films) / levels, rng.integers(0, 2, films)
    if labels.min() == labels.max():
        assert np.isnan(auroc(scores, labels))
    else:
        assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_counts_are_weights():
    rng = np.random.default_rng(0)
    scores, labels = rng.integers(0, 20, 50) / 20, rng.integers(0, 2, 50)
    counts = draw_counts(50, 30, seed=1)
    expected = [roc_auc_score(labels, scores, sample_weight=row) for row in counts]
    assert resampled_auroc(scores, labels, counts) == pytest.approx(expected)


def test_a_resample_with_one_class_is_not_a_number():
    counts = np.array([[2, 0, 1], [0, 3, 0]], np.float32)
    assert np.isnan(resampled_auroc(np.array([0.1, 0.9, 0.4]), np.array([0, 1, 0]), counts)).all()


def test_every_resample_holds_as_many_films_as_there_are():
    counts = draw_counts(37, 20, seed=3)
    assert (counts.sum(axis=1) == 37).all()
    assert (draw_counts(37, 20, seed=3) == counts).all()


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="1 of 3 scores"):
        auroc(np.array([0.1, np.nan, 0.3]), np.array([0, 1, 1]))


def test_a_whole_table_takes_seconds():
    rng = np.random.default_rng(0)
    counts = draw_counts(800, 1000, seed=0)
    start = time.process_time()
    for _ in range(18):
        resampled_auroc(rng.random(800), (rng.random(800) < 0.09).astype(int), counts)
    assert (time.process_time() - start) * 7 < 20, "1,000 resamples of 18 findings and 7 arms take over 20 s"
