"""A mask is the same area again after a trip through a table."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.masks import decode_mask, encode_mask
from storage.records import Mask


@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_an_area_comes_back(height: int, width: int, random: Random) -> None:
    area = np.random.default_rng(random.getrandbits(32)).random((height, width)) < 0.5
    assert (decode_mask(encode_mask("mass", area)) == area).all()


@pytest.mark.parametrize("value", [0, 1])
def test_an_empty_and_a_full_area_come_back(value: int) -> None:
    area = np.full((4, 3), value)
    mask = encode_mask("mass", area)
    assert (mask.height, mask.width, decode_mask(mask).sum()) == (4, 3, 12 * value)


def test_runs_go_down_the_columns() -> None:
    area = np.zeros((3, 2))
    area[1:, 0] = 1
    assert encode_mask("mass", area).runs == "1 2"


@pytest.mark.parametrize("runs", ["1 6", "-1 2", "x"])
def test_runs_that_leave_the_film_are_refused(runs: str) -> None:
    with pytest.raises(ValueError, match=r"runs of|invalid literal"):
        decode_mask(Mask(finding="mass", height=3, width=2, runs=runs))
