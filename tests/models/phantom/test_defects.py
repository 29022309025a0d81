"""Every defect can be told from the film it struck."""

from __future__ import annotations

import numpy as np
import pytest

from models.phantom.case import Case
from models.phantom.defects import DEFECTS, apply_defect
from models.phantom.film import render


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    return render(Case("a", 1, 2, ())).image


def test_there_are_at_least_eight():
    assert len(set(DEFECTS)) == len(DEFECTS) >= 8


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_defect_keeps_the_shape_and_changes_the_film(kind, sound):
    before = sound.copy()
    spoilt = apply_defect(sound, kind, np.random.default_rng(3))
    assert spoilt.shape == sound.shape
    assert spoilt.dtype == np.uint8
    assert np.abs(spoilt.astype(int) - sound).mean() > 4
    assert np.array_equal(sound, before)


@pytest.mark.parametrize("kind", DEFECTS)
def test_the_same_dice_spoil_alike(kind, sound):
    one, other = (apply_defect(sound, kind, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, other)


def test_a_weak_defect_changes_less(sound):
    weak, strong = (apply_defect(sound, "inverted", np.random.default_rng(1), strength) for strength in (0.2, 1.0))
    assert np.abs(weak.astype(int) - sound).mean() < np.abs(strong.astype(int) - sound).mean()


def test_an_unknown_defect_is_named(sound):
    with pytest.raises(ValueError, match="coffee"):
        apply_defect(sound, "coffee", np.random.default_rng(0))
