"""Medians and quantiles that numpy would give."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.gates.film.order import median, ordered, quantile

SHARES = (0.02, 0.05, 0.4, 0.92, 0.95, 0.98, 0.995)


@given(st.integers(1, 400), st.integers(0, 2**32 - 1), st.booleans())
def test_they_are_to_the_bit_what_numpy_gives(count: int, seed: int, whole: bool) -> None:
    values = np.random.default_rng(seed).normal(100, 60, count).astype(np.float32)
    values = values.round() if whole else values
    rising = ordered(values)
    assert median(rising) == np.median(values)
    assert [quantile(rising, np.float64(share)) for share in SHARES] == list(np.quantile(values, SHARES))
    for share in SHARES:
        assert quantile(rising, np.float32(share)) == np.quantile(values, np.float32(share))


@pytest.mark.parametrize("shape", [(128, 128), (107, 90)])
def test_a_film_is_taken_whole(shape: tuple[int, int]) -> None:
    film = np.random.default_rng(1).integers(0, 256, shape).astype(np.float32)
    assert quantile(ordered(film), np.float64(0.02)) == np.percentile(film, (2, 98))[0]
