"""DeLong's variance: the fast form equals the sum over all pairs, by film and by patient."""

import numpy as np
import pytest
from hypothesis import given

from tasks.evaluate.labels import CannotScore
from tasks.evaluate.metrics.delong import AurocCovariance, clustered_delong, delong, midranks, placements
from tasks.evaluate.metrics.ranking import auroc
from tests.tasks.evaluate.metrics.films import ScoredFilms, scored_films


def kernel(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether each positive beats each negative, (positives, negatives), half for a tie."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
    return (positive > negative) + 0.5 * (positive == negative)


def by_pairs(tables: list[np.ndarray], labels: np.ndarray) -> np.ndarray:
    """DeLong's covariance from the kernels, as the paper writes it."""
    pairs = [kernel(scores, labels) for scores in tables]
    positives, negatives = pairs[0].shape
    rows, columns = (np.stack([pair.mean(axis=axis) for pair in pairs]) for axis in (1, 0))
    return np.atleast_2d(np.cov(rows)) / positives + np.atleast_2d(np.cov(columns)) / negatives


def by_patients(tables: list[np.ndarray], films: ScoredFilms) -> np.ndarray:
    """Obuchowski's covariance by loops over patients, as the paper writes it."""
    labels, patients = films.labels, np.array(films.patients)
    m, n = int(labels.sum()), int((1 - labels).sum())
    sums = []
    for scores in tables:
        pair = kernel(scores, labels)
        area = pair.mean()
        rows, columns = pair.mean(axis=1), pair.mean(axis=0)
        of_positives, of_negatives = patients[labels == 1], patients[labels == 0]
        sums.append([
            ((rows[of_positives == one] - area).sum(), (columns[of_negatives == one] - area).sum())
            for one in sorted(set(films.patients))
        ])  # fmt: skip
    i10, i01 = len(set(patients[labels == 1])), len(set(patients[labels == 0]))
    clusters = len(set(films.patients))
    found = np.zeros((len(tables), len(tables)))
    for r in range(len(tables)):
        for s in range(len(tables)):
            s10 = sum(a[0] * b[0] for a, b in zip(sums[r], sums[s], strict=True)) * i10 / ((i10 - 1) * m)
            s01 = sum(a[1] * b[1] for a, b in zip(sums[r], sums[s], strict=True)) * i01 / ((i01 - 1) * n)
            s11 = sum(a[0] * b[1] + a[1] * b[0] for a, b in zip(sums[r], sums[s], strict=True))
            found[r, s] = s10 / m + s01 / n + s11 * clusters / ((clusters - 1) * m * n)
    return found


def two_models(films: ScoredFilms) -> np.ndarray:
    """The films' scores, and others that agree with them in part: (2, n)."""
    rng = np.random.default_rng(len(films.scores))
    return np.stack([films.scores, np.round(films.labels + rng.normal(size=len(films.labels)), 1)])


def has_two_of_each(films: ScoredFilms) -> bool:
    patients = np.array(films.patients)
    return min(len(set(patients[films.labels == side])) for side in (0, 1)) >= 2


@given(films=scored_films(least=4))
def test_equals_the_sum_over_all_pairs_to_1e_12(films: ScoredFilms) -> None:
    tables = two_models(films)
    if min(films.labels.sum(), (1 - films.labels).sum()) < 2:
        with pytest.raises(CannotScore, match="needs two of each"):
            delong(tables, films.labels)
        return
    found = delong(tables, films.labels)
    assert found.covariance == pytest.approx(by_pairs(list(tables), films.labels), abs=1e-12, rel=0)
    assert found.aurocs == pytest.approx([auroc(scores, films.labels) for scores in tables], abs=1e-12, rel=0)


@given(films=scored_films(least=4))
def test_by_patient_equals_the_loops_over_patients_to_1e_12(films: ScoredFilms) -> None:
    tables = two_models(films)
    if not has_two_of_each(films):
        with pytest.raises(CannotScore, match="needs two of each"):
            clustered_delong(tables, films.labels, films.patients)
        return
    found = clustered_delong(tables, films.labels, films.patients)
    assert found.covariance == pytest.approx(by_patients(list(tables), films), abs=1e-12, rel=0)


@given(films=scored_films(least=8))
def test_copies_of_every_film_add_no_information(films: ScoredFilms) -> None:
    tables, patients = two_models(films), tuple(map(str, range(len(films.labels))))
    if min(films.labels.sum(), (1 - films.labels).sum()) < 2:
        return
    once = clustered_delong(tables, films.labels, patients).covariance
    thrice = clustered_delong(np.tile(tables, 3), np.tile(films.labels, 3), patients * 3).covariance
    assert thrice == pytest.approx(once, abs=1e-12, rel=0)
    assert once == pytest.approx(delong(tables, films.labels).covariance, abs=1e-12, rel=0)


@given(films=scored_films())
def test_both_sides_placements_have_the_auroc_as_their_mean(films: ScoredFilms) -> None:
    found, spared = placements(films.scores, films.labels)
    expected = auroc(films.scores, films.labels)
    assert found.mean() == pytest.approx(expected, abs=1e-12)
    assert spared.mean() == pytest.approx(expected, abs=1e-12)


def test_equal_values_share_their_rank() -> None:
    assert midranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_a_difference_is_narrower_where_models_agree() -> None:
    found = AurocCovariance(np.array([0.8, 0.7]), np.array([[4e-4, 3e-4], [3e-4, 4e-4]]))
    assert found.standard_error() == pytest.approx(0.02)
    assert found.difference(0, 1) == pytest.approx((0.1, 2e-4**0.5))
    assert found.difference(0, 0) == (0.0, 0.0)


def test_the_standard_error_covers_what_samples_scatter() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat((np.arange(60) % 2), 3)
    patients = tuple(f"p{at}" for at in np.repeat(np.arange(60), 3))
    drawn = [labels + np.repeat(rng.normal(size=60), 3) + 0.5 * rng.normal(size=180) for _ in range(400)]
    found = clustered_delong(np.stack(drawn), labels, patients)
    scatter = float(found.aurocs.std())
    assert np.mean([found.standard_error(at) for at in range(400)]) == pytest.approx(scatter, rel=0.1)
    assert np.mean([delong(scores, labels).standard_error() for scores in drawn]) < 0.75 * scatter
