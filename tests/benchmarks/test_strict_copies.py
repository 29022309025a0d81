"""The strict comparison: a copy agrees in every part, and nothing else does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.strict_copies import StrictCopies
from tasks.privacy.archive import archive_films


@pytest.fixture(scope="module")
def films() -> np.ndarray:
    return np.stack([film for _, film in archive_films("phantom:a/7/40")])


@pytest.fixture(scope="module")
def unseen() -> np.ndarray:
    return np.stack([film for _, film in archive_films("phantom:a/7/5000-5080")])


@pytest.fixture(scope="module")
def strict(films: np.ndarray, unseen: np.ndarray) -> StrictCopies:
    return StrictCopies(films, unseen)


def test_a_blurred_and_darkened_copy_is_told_and_attributed(strict, films):
    copies = np.stack([cv2.GaussianBlur(film, (0, 0), 0.6) for film in films[:5]]) // 2
    agreement = strict.agreement(copies)
    assert (agreement.argmax(1) == np.arange(5)).all()
    assert (agreement.max(1) > strict.limit).all()


def test_no_film_is_a_copy_of_another(strict, films, unseen):
    others = strict.agreement(unseen)
    assert others.max() <= strict.limit < 1
    itself = strict.agreement(films)
    assert np.allclose(np.diag(itself), 1, atol=1e-4)


def test_a_film_that_is_copied_but_for_one_tile_is_no_copy(strict, films):
    patched = films[:1].copy()
    patched[:, :32, :32] = films[1, :32, :32][::-1, ::-1]
    assert strict.agreement(patched)[0, 0] < strict.limit


def test_an_empty_film_agrees_with_nothing(strict):
    assert strict.agreement(np.zeros((1, 128, 128), np.uint8)).max() < strict.limit
