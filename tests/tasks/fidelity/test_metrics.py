"""Distances between films, on clouds of points whose distance is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tasks.fidelity.metrics import LabelledFeatures, fidelity, fidelity_by_finding, likeness

DICE = np.random.default_rng(0)
WIDTH = 4


def cloud(count: int, middle: float = 0.0, spread: float = 1.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(middle, spread, (count, WIDTH)).astype(np.float32)


class TestFidelity:
    def test_the_distance_of_two_gaussians_is_the_textbook_one(self) -> None:
        real, made = cloud(4000), cloud(4000, middle=1.0, spread=2.0, seed=2)
        assert fidelity(real, made).fid == pytest.approx(WIDTH * (1.0**2 + (2 - 1) ** 2), rel=0.1)

    def test_films_of_the_same_kind_are_near_and_of_another_kind_far(self) -> None:
        real = cloud(300)
        floor, far = fidelity(real, cloud(300, seed=2)), fidelity(real, cloud(300, middle=6.0, seed=3))
        assert floor.fid < 0.2 < 100 < far.fid
        assert abs(floor.kid) < 0.05 < far.kid
        assert min(floor.precision, floor.recall, floor.coverage) > 0.8
        assert floor.density == pytest.approx(1, abs=0.2)
        assert (far.precision, far.recall, far.density, far.coverage) == (0, 0, 0, 0)

    def test_a_generator_with_one_good_film_is_precise_and_covers_nothing(self) -> None:
        one = np.repeat(cloud(1) * 0.1, 200, 0) + cloud(200, spread=1e-3, seed=4)
        found = fidelity(cloud(300), one)
        assert found.precision > 0.9
        assert found.recall < 0.1
        assert found.coverage < 0.3

    def test_few_films_raise_fid_so_the_floor_needs_the_same_number(self) -> None:
        few, many = (fidelity(cloud(n), cloud(n, seed=2)).fid for n in (12, 1200))
        assert few > 5 * many

    def test_no_fid_where_the_covariance_is_singular(self) -> None:
        found = fidelity(np.tile(cloud(8), 4), np.tile(cloud(8, seed=2), 4))
        assert math.isnan(found.fid)
        assert math.isfinite(found.kid)
        assert (found.real, found.made) == (8, 8)

    def test_the_same_films_give_the_same_figures_and_leave_the_dice_of_others_alone(self) -> None:
        torch.manual_seed(3)
        expected = torch.rand(1)
        torch.manual_seed(3)
        assert fidelity(cloud(40), cloud(50, seed=2)) == fidelity(cloud(40), cloud(50, seed=2))
        assert torch.rand(1) == expected

    @pytest.mark.parametrize(
        ("real", "made", "message"),
        [
            (cloud(50), cloud(6), "50 real and 6 generated films: 5 neighbours take 7"),
            (cloud(50), cloud(50)[:, :3], "of one encoder"),
            (cloud(50), np.where(np.arange(50)[:, None] == 9, np.nan, cloud(50)), "generated film 9 are no numbers"),
        ],
    )
    def test_what_cannot_be_compared_is_refused(self, real: np.ndarray, made: np.ndarray, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            fidelity(real, made)


def test_each_finding_is_compared_with_its_own_and_too_few_films_give_none() -> None:
    real = np.concatenate([cloud(50), cloud(50, middle=5)])
    labels = np.repeat(np.array([[1, 0, 0], [0, 1, 0]]), 50, 0)
    labels[3, 2] = 1
    films, findings = LabelledFeatures(real, labels), ("edema", "nodule", "hernia")
    found = fidelity_by_finding(films, LabelledFeatures(real[::-1], labels[::-1]), findings)
    assert found["hernia"] is None
    for finding in ("edema", "nodule"):
        each = found[finding]
        assert each is not None
        assert (each.real, each.made, each.coverage) == (50, 50, 1)
    swapped = fidelity_by_finding(films, LabelledFeatures(real, labels[::-1]), findings)["edema"]
    assert swapped is not None
    assert swapped.coverage == 0


class TestLikeness:
    @pytest.mark.parametrize("side", [40, 128, 200])
    def test_a_film_is_like_itself_and_unlike_noise(self, side: int) -> None:
        films = DICE.integers(0, 255, (3, side, side), np.uint8)
        assert likeness(films, films) == pytest.approx(np.ones(3))
        assert (likeness(films, DICE.integers(0, 255, films.shape, np.uint8)) < 0.3).all()

    def test_films_of_two_sizes_or_of_no_size_are_refused(self) -> None:
        with pytest.raises(ValueError, match="in pairs of one size"):
            likeness(np.zeros((2, 64, 64), np.uint8), np.zeros((2, 32, 32), np.uint8))
        with pytest.raises(ValueError, match="smaller than a window"):
            likeness(np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8))
