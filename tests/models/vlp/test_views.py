"""Views keep what the report talks about, and even out what the machine did."""

import numpy as np
import pytest
import torch

from models.vlp.views import Variation, fit_film, plain_view, varied_view


@pytest.fixture
def films() -> torch.Tensor:
    """Three dark films with a bright spot on the left half."""
    film = np.random.default_rng(0).normal(80, 5, (3, 96, 96))
    film[:, 30:50, 15:35] += 100
    return torch.from_numpy(film.clip(0, 255).astype(np.uint8))


def test_a_plain_view_has_mean_zero_and_deviation_one(films):
    view = plain_view(films)
    assert tuple(view.shape) == (3, 1, 96, 96)
    assert view.mean(dim=(1, 2, 3)).abs().max() < 1e-3
    assert (view.std(dim=(1, 2, 3)) - 1).abs().max() < 0.05


def test_exposure_is_evened_out(films):
    darker = (films.float() * 0.6 + 20).to(torch.uint8)
    assert (plain_view(films) - plain_view(darker)).abs().mean() < 0.05


def test_a_blank_film_stays_finite():
    blank = torch.full((1, 96, 96), 255, dtype=torch.uint8)
    assert plain_view(blank).isfinite().all()
    assert varied_view(blank, torch.Generator().manual_seed(0)).isfinite().all()


def test_the_generator_alone_decides(films):
    one, other = (varied_view(films, torch.Generator().manual_seed(7)) for _ in range(2))
    assert (one == other).all()
    assert (varied_view(films, torch.Generator().manual_seed(8)) != one).any()


@pytest.mark.parametrize("rows", [slice(0, 1), slice(1, 3), slice(0, 3)])
def test_some_rows_of_a_batch_get_the_views_of_the_whole_batch(films, rows):
    whole = varied_view(films, torch.Generator().manual_seed(7))
    own = varied_view(films[rows], torch.Generator().manual_seed(7), rows=rows, batch=3)
    assert (own == whole[rows]).all()


def test_left_stays_left_in_every_view(films):
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        view = varied_view(films, generator)
        assert (view[..., :48].mean(dim=(1, 2, 3)) > view[..., 48:].mean(dim=(1, 2, 3))).all()


def test_no_variation_is_the_plain_view(films):
    still = Variation(shift=0, zoom=0, turn=0, gamma=1, noise=0, blur=0)
    view = varied_view(films, torch.Generator().manual_seed(0), still)
    assert (view - plain_view(films)).abs().max() < 1e-2


@pytest.mark.parametrize("shape", [(96, 96), (128, 128), (64, 64), (200, 120), (1, 1)])
def test_films_of_any_size_fit(shape):
    assert fit_film(np.full(shape, 9, np.uint8), 96).shape == (96, 96)


def test_views_are_made_on_the_films_device():
    films = torch.zeros((2, 24, 24), dtype=torch.uint8, device="meta")
    assert varied_view(films, torch.Generator().manual_seed(0)).device.type == "meta"
    assert plain_view(films).device.type == "meta"
