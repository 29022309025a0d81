"""Expected calibration error: torchmetrics' figure for probabilities, and none for other scores."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.compat import torchvision_ready
from tasks.evaluate.metrics.calibration import (
    are_probabilities,
    expected_calibration_error,
    resampled_calibration_error,
)


@given(seed=st.integers(0, 10_000), films=st.integers(1, 300), bins=st.sampled_from([1, 10, 15]))
def test_agrees_with_torchmetrics(seed: int, films: int, bins: int) -> None:
    torchvision_ready()
    from torchmetrics.functional.classification import binary_calibration_error

    rng = np.random.default_rng(seed)
    scores, labels = rng.random(films), rng.integers(0, 2, films)
    theirs = binary_calibration_error(torch.tensor(scores), torch.tensor(labels), n_bins=bins)
    assert expected_calibration_error(scores, labels, bins) == pytest.approx(float(theirs), abs=1e-6)


def test_a_score_on_a_border_belongs_to_the_bin_above() -> None:
    assert expected_calibration_error(np.array([0.0, 0.5, 1.0]), np.array([0, 0, 1]), bins=2) == pytest.approx(1 / 6)
    assert expected_calibration_error(np.array([0.49, 0.5]), np.array([1, 0]), bins=2) == pytest.approx(0.505)
    assert expected_calibration_error(np.array([0.51, 0.5]), np.array([1, 0]), bins=2) == pytest.approx(0.005)


@pytest.mark.parametrize("score", [-0.1, 1.5])
def test_it_is_defined_for_probabilities_only(score: float) -> None:
    assert not are_probabilities(np.array([0.2, score]))
    with pytest.raises(ValueError, match="defined for probabilities"):
        expected_calibration_error(np.array([0.2, score]), np.array([0, 1]))
    with pytest.raises(ValueError, match="there is no film"):
        expected_calibration_error(np.array([]), np.array([]))


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([1, 4, 1 << 40]))
def test_in_a_resample_it_is_that_of_its_films(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(0, levels + 1, 40) / levels, rng.integers(0, 2, 40)
    counts = rng.multinomial(40, np.full(40, 1 / 40), size=5)
    found = resampled_calibration_error(scores, labels, counts.astype(np.float32))
    for value, times in zip(found, counts, strict=True):
        alone = expected_calibration_error(np.repeat(scores, times), np.repeat(labels, times))
        assert value == pytest.approx(alone, abs=1e-12)
