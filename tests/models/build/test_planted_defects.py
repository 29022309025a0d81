"""Planted defects: twenty kinds at three strengths, each worse than the one before."""

from __future__ import annotations

import numpy as np
import pytest

from models.build.planted_defects import PLANTED, STRENGTHS, plant
from models.nets.defect_net import CLASSES
from models.phantom.case import Case
from models.phantom.film import draw_film

CUT = ("one_lung", "cropped")  # what is left is enlarged, so that changes of pixels say nothing


def spoilt(film: np.ndarray, kind: str, strength: str, seed: int = 0) -> np.ndarray:
    return np.asarray(plant(film, kind, strength, np.random.default_rng(seed)), np.float32)


def harm(film: np.ndarray, kind: str, strength: str) -> float:
    """Mean change of a pixel over several random draws; a pixel that is no number counts fully."""
    changes = [np.abs(spoilt(film, kind, strength, seed) - film) for seed in range(6)]
    return float(np.nan_to_num(np.stack(changes), nan=255, posinf=255).clip(0, 255).mean())


def test_there_are_twenty_kinds_at_three_strengths() -> None:
    assert len(set(PLANTED)) == 20
    assert len(STRENGTHS) == 3


@pytest.mark.parametrize("kind", [kind for kind in PLANTED if kind not in CUT])
def test_each_strength_does_more_harm_than_the_one_before(kind: str, sound_films: list[np.ndarray]) -> None:
    weak, medium, strong = (harm(sound_films[0], kind, strength) for strength in STRENGTHS)
    assert 0 < weak < medium < strong


@pytest.mark.parametrize("kind", CUT)
def test_each_strength_leaves_less_of_the_film_than_the_one_before(kind: str) -> None:
    ramp = np.broadcast_to(np.linspace(20, 235, 128).astype(np.uint8), (128, 128))
    left = [float(np.ptp(np.clip(spoilt(ramp, kind, strength), 20, 235))) for strength in STRENGTHS]
    assert 215 > left[0] > left[1] > left[2] > 0


@pytest.mark.parametrize("kind", PLANTED)
def test_shape_range_and_the_film_itself_are_kept(kind: str) -> None:
    film = draw_film(Case("a", 5150, 3, ()), 160)[0]
    before = film.copy()
    out = plant(film, kind, "strong", np.random.default_rng(1))
    assert out.shape == film.shape
    assert out.dtype == (np.float32 if kind == "nan" else np.uint8)
    assert np.array_equal(film, before)
    assert np.isfinite(out).all() == (kind != "nan")


def test_the_same_dice_give_the_same_film(sound_films: list[np.ndarray]) -> None:
    for kind in PLANTED:
        first, second = (spoilt(sound_films[0], kind, "medium", 7) for _ in range(2))
        assert np.array_equal(first, second, equal_nan=True), kind


def test_unknown_kinds_and_strengths_are_named_with_what_there_is(sound_films: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"'melted'.*mosaic.*weak, medium, strong"):
        plant(sound_films[0], "melted", "weak", np.random.default_rng(0))
    with pytest.raises(ValueError, match="'deadly'"):
        plant(sound_films[0], "noise", "deadly", np.random.default_rng(0))


def test_the_network_tells_every_planted_defect_apart_but_those_that_need_none() -> None:
    assert ("good", *(kind for kind in PLANTED if kind != "nan")) == CLASSES
