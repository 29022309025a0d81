"""A film of any shape lies whole in a square, and boxes and masks lie where they lay on it."""

from __future__ import annotations

import numpy as np
import pytest

from storage.masks import decode_mask
from tasks.corpora.archives.film import Box
from tasks.ingest.square import Square


def test_a_tall_film_is_centred_with_black_at_its_sides() -> None:
    square = Square(height=80, width=40, size=20)
    placed = square.place(np.full((80, 40), 200, np.uint8))
    assert placed.shape == (20, 20)
    assert (placed[:, 5:15] == 200).all()
    assert not placed[:, :5].any()
    assert not placed[:, 15:].any()


@pytest.mark.parametrize(("height", "width"), [(64, 64), (1, 500), (500, 1), (37, 61), (20, 20)])
def test_every_shape_fills_the_square_along_its_longer_edge(height: int, width: int) -> None:
    square = Square(height, width, 20)
    assert square.place(np.full((height, width), 9, np.uint8)).shape == (20, 20)
    assert max(square.inner) == 20
    assert min(square.inner) >= 1


def test_a_box_lies_where_it_lay() -> None:
    film = np.zeros((80, 40), np.uint8)
    film[8:40, 4:20] = 255
    square = Square(80, 40, 20)
    box = square.box(Box("mass", x=4, y=8, width=16, height=32))
    assert box is not None
    assert (box.finding, box.x, box.y, box.width, box.height) == ("mass", 6, 2, 4, 8)
    placed = square.place(film)
    assert (placed[2:10, 6:10] == 255).all()
    assert placed.astype(int).sum() == 255 * 4 * 8


def test_a_box_told_on_the_publishers_square_fits_a_smaller_copy() -> None:
    square = Square(64, 64, 128)
    assert square.box(Box("mass", 512, 256, 128, 64), frame=(1024, 1024)) == square.box(Box("mass", 32, 16, 8, 4))


def test_a_box_is_cut_at_the_edges_of_the_film_and_gone_beyond_them() -> None:
    square = Square(80, 40, 20)
    cut = square.box(Box("mass", x=-8, y=60, width=16, height=99))
    assert cut is not None
    assert (cut.x, cut.y, cut.width, cut.height) == (5, 15, 2, 5)
    assert square.box(Box("mass", x=50, y=0, width=9, height=9)) is None
    assert square.box(Box("mass", x=4, y=4, width=0, height=9)) is None


def test_a_mask_goes_with_its_film() -> None:
    area = np.zeros((80, 40), np.uint8)
    area[8:40, 4:20] = 1
    mask = Square(80, 40, 20).mask("mass", area)
    assert mask is not None
    placed = decode_mask(mask)
    assert placed.shape == (20, 20)
    assert placed[2:10, 6:10].all()
    assert placed.sum() == 32
    assert Square(80, 40, 20).mask("mass", np.zeros((80, 40))) is None
