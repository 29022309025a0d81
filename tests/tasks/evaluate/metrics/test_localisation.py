"""Overlap, pointing game and contrast of maps, against loops and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.compat import torchvision_ready
from tasks.evaluate.metrics.localisation import (
    chance,
    contrast_to_noise,
    dice,
    iou,
    pointing_game,
    threshold_from_maps,
)

AREAS = arrays(bool, (3, 4, 5))
MAPS = arrays(np.float64, (3, 4, 5), elements=st.sampled_from([-1.0, 0.0, 0.25, 2.0]))


@given(AREAS, AREAS)
@example(np.zeros((3, 4, 5), bool), np.zeros((3, 4, 5), bool))
@example(np.ones((3, 4, 5), bool), np.zeros((3, 4, 5), bool))
def test_overlap_equals_torchmetrics_where_two_empty_areas_count_as_one(taken: np.ndarray, areas: np.ndarray) -> None:
    torchvision_ready()
    from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

    for at in range(len(areas)):
        first, second = (torch.from_numpy(part[at].astype(int)) for part in (taken, areas))
        expected = float(binary_f1_score(first, second, zero_division=1))
        assert dice(taken, areas)[at] == pytest.approx(expected, abs=1e-6)
        expected = float(binary_jaccard_index(first, second, zero_division=1))
        assert iou(taken, areas)[at] == pytest.approx(expected, abs=1e-6)
        assert iou(taken, areas)[at] == pytest.approx(dice(taken, areas)[at] / (2 - dice(taken, areas)[at]))


def test_an_empty_area_that_is_left_empty_counts_one_and_otherwise_nothing() -> None:
    taken, areas = np.zeros((2, 3, 3), bool), np.zeros((2, 3, 3), bool)
    taken[1, 0, 0] = True
    assert dice(taken, areas).tolist() == [1, 0]
    assert iou(taken, areas).tolist() == [1, 0]


@given(MAPS, AREAS)
def test_the_pointing_game_counts_level_maxima_in_parts(maps: np.ndarray, areas: np.ndarray) -> None:
    for found, film, area in zip(pointing_game(maps, areas), maps, areas, strict=True):
        if not area.any():
            assert math.isnan(found)
            continue
        hits = [bool(area[at]) for at in np.ndindex(film.shape) if film[at] == film.max()]
        assert found == pytest.approx(sum(hits) / len(hits))


@given(AREAS)
def test_a_constant_map_plays_at_chance_and_has_no_contrast(areas: np.ndarray) -> None:
    constant = np.full(areas.shape, 0.3)
    np.testing.assert_allclose(pointing_game(constant, areas), chance(areas))
    assert all(value == 0 or math.isnan(value) for value in contrast_to_noise(constant, areas))


@given(MAPS, AREAS)
def test_contrast_equals_the_formula(maps: np.ndarray, areas: np.ndarray) -> None:
    for found, film, area in zip(contrast_to_noise(maps, areas), maps, areas, strict=True):
        if not area.any() or area.all():
            assert math.isnan(found)
            continue
        inside, outside = film[area], film[~area]
        noise = math.sqrt(inside.var() + outside.var())
        if noise > 0:
            assert found == pytest.approx(abs(inside.mean() - outside.mean()) / noise)


def test_the_threshold_is_that_of_the_best_mean_dice_and_ignores_films_without_area() -> None:
    rng = np.random.default_rng(0)
    areas = np.zeros((6, 8, 8), bool)
    areas[:4, 2:5, 3:6] = True
    maps = rng.normal(0, 0.3, areas.shape) + 2.0 * areas
    found = threshold_from_maps(maps, areas)
    assert 0.5 < found.level < 2
    assert found.dice > 0.9
    assert found.dice == pytest.approx(dice(maps[:4] >= found.level, areas[:4]).mean())
    louder = maps.copy()
    louder[4:] = 100.0
    assert threshold_from_maps(louder, areas) == found
    with pytest.raises(ValueError, match="no film has an area"):
        threshold_from_maps(maps[4:], areas[4:])


@given(MAPS, AREAS)
def test_no_level_gives_a_higher_mean_dice_than_the_threshold(maps: np.ndarray, areas: np.ndarray) -> None:
    shown = areas.any(axis=(1, 2))
    if not shown.any():
        return
    levels = np.unique(maps[shown])
    means = [dice(maps[shown] >= level, areas[shown]).mean() for level in levels]
    found = threshold_from_maps(maps, areas)
    assert found.dice == pytest.approx(max(means))
    assert found.level in levels[np.isclose(means, max(means))]


def test_maps_of_another_shape_and_maps_that_are_not_finite_are_refused() -> None:
    areas = np.ones((1, 2, 2), bool)
    with pytest.raises(ValueError, match=r"\(1, 3, 2\).*\(1, 2, 2\)"):
        pointing_game(np.zeros((1, 3, 2)), areas)
    with pytest.raises(ValueError, match="1 of 4 values of the maps are not finite"):
        contrast_to_noise(np.array([[[0.0, np.nan], [1.0, 2.0]]]), areas)
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        dice(areas[0], areas[0])
