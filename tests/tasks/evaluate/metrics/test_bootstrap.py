"""Resamples by film and by patient; intervals are scipy's on the same resamples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.bootstrap import (
    count_blocks,
    draw_counts,
    draw_patient_counts,
    interval,
    patient_numbers,
)
from tasks.evaluate.metrics.ranking import auroc, average_precision, resampled_auroc, resampled_average_precision

BOTH = [(auroc, resampled_auroc), (average_precision, resampled_average_precision)]


def films(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores on few levels that tell something, and labels."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(count) % 3 == 0).astype(int)
    return np.round(rng.normal(size=count) + labels, 1), labels


@pytest.mark.parametrize(("metric", "resampled"), BOTH)
@pytest.mark.parametrize("films_each", [1, 4], ids=["by film", "by patient"])
def test_intervals_are_those_of_scipy_on_the_same_resamples(metric, resampled, films_each: int) -> None:
    scores, labels = films(120)
    patient = np.arange(120) // films_each
    drawn: list[np.ndarray] = []

    def statistic(chosen: np.ndarray) -> float:
        drawn.append(chosen)
        at = np.concatenate([np.flatnonzero(patient == one) for one in chosen])
        return metric(scores[at], labels[at])

    patients = np.arange(patient.max() + 1)
    theirs = bootstrap(
        (patients,), statistic, n_resamples=300, method="percentile", confidence_level=0.9, vectorized=False, rng=1
    )
    samples = [chosen for chosen in drawn if not np.array_equal(chosen, patients)]
    counts = np.stack([np.bincount(chosen, minlength=len(patients)) for chosen in samples]).astype(np.float32)
    assert len(samples) == 300
    ours = interval(resampled(scores, labels, counts[:, patient]), 0.9)
    assert (ours["low"], ours["high"]) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12, rel=0)


def test_every_resample_holds_as_many_films_as_there_are() -> None:
    counts = draw_counts(37, 20, seed=3)
    assert (counts.sum(axis=1) == 37).all()
    assert (draw_counts(37, 20, seed=3) == counts).all()


def test_with_one_film_per_patient_both_draws_are_the_same() -> None:
    patients = [f"p{at}" for at in (5, 3, 9, 1)]
    assert (draw_patient_counts(patients, 30, seed=2) == draw_counts(4, 30, seed=2)).all()


@given(patients=st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_a_patients_films_come_together(patients: list[str], seed: int) -> None:
    counts = draw_patient_counts(patients, 8, seed)
    first = [patients.index(patient) for patient in patients]
    assert (counts == counts[:, first]).all()
    assert (counts[:, sorted(set(first))].sum(axis=1) == len(set(patients))).all()


def test_blocks_are_the_whole_draw_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.evaluate.metrics.bootstrap._CELLS", 17)
    patients = list("abbcda")
    blocks = list(count_blocks(patient_numbers(patients), 11, seed=4))
    assert [block.stop - block.start for block, _ in blocks] == [2, 2, 2, 2, 2, 1]
    assert (np.concatenate([counts for _, counts in blocks]) == draw_patient_counts(patients, 11, seed=4)).all()


def test_films_that_repeat_each_other_make_an_interval_wider_by_patient_than_by_film() -> None:
    scores, labels = films(60)
    scores, labels, patients = np.repeat(scores, 5), np.repeat(labels, 5), np.repeat(np.arange(60), 5)
    by_film = interval(resampled_auroc(scores, labels, draw_counts(300, 400, 0)), 0.95)
    by_patient = interval(resampled_auroc(scores, labels, draw_patient_counts([*map(str, patients)], 400, 0)), 0.95)
    wider = (by_patient["high"] - by_patient["low"]) / (by_film["high"] - by_film["low"])
    assert wider == pytest.approx(5**0.5, rel=0.25), "five copies of each film are no new information"


def test_an_interval_leaves_out_resamples_that_have_no_value() -> None:
    found = interval(np.array([np.nan, 0.0, 0.5, 1.0]), 0.8)
    assert found == pytest.approx({"low": 0.1, "high": 0.9})


def test_an_interval_of_nothing_is_an_error_and_no_nan() -> None:
    with pytest.raises(CannotScore, match="take more films"):
        interval(np.full(3, np.nan), 0.95)
