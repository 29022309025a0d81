"""What is alike is found, once, whatever the threshold turns out to be."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.curate.near import Edges, alike_films, alike_images, alike_reports
from tasks.recipe.curation import FILM_COSINE, IMAGE_BITS


def pairs(edges: Edges) -> dict[tuple[int, int], float]:
    columns = (edges.later.tolist(), edges.earlier.tolist(), edges.alike.tolist())
    return {(one, other): alike for one, other, alike in zip(*columns, strict=True)}


def test_hashes_within_the_measured_bits_are_found_with_their_distance():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (300, 32), np.uint8)
    hashes[200] = hashes[7]
    hashes[201] = hashes[7] ^ np.eye(1, 32, 3, dtype=np.uint8)[0] * 7  # three bits
    found = pairs(alike_images(hashes))
    assert found[200, 7] == 0
    assert found[201, 7] == -3
    assert found[201, 200] == -3
    assert all(one > other and -IMAGE_BITS <= alike <= 0 for (one, other), alike in found.items())


def test_embeddings_find_what_a_full_comparison_finds():
    rng = np.random.default_rng(1)
    base = rng.normal(size=(400, 32))
    vectors = np.concatenate([base, base[:60] + 0.2 * rng.normal(size=(60, 32))])
    plain = (vectors - vectors.mean(0)) / vectors.std(0)
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    truth = {(i, j) for i, j in zip(*np.nonzero(np.tril(plain @ plain.T, -1) >= FILM_COSINE + 0.01), strict=True)}
    found = pairs(alike_films(vectors))
    assert len(truth) >= 60
    assert len(truth & found.keys()) >= 0.97 * len(truth)


def test_a_crowd_of_copies_larger_than_the_first_look_is_found_whole():
    rng = np.random.default_rng(2)
    vectors = np.concatenate([rng.normal(size=(100, 16)), np.repeat(rng.normal(size=(1, 16)), 90, axis=0)])
    found = pairs(alike_films(vectors))
    assert sum((row, 100) in found for row in range(101, 190)) >= 88


def test_reports_are_alike_by_their_wording():
    long = "heart size is normal and the lungs are clear with no pleural effusion or pneumothorax seen on this film"
    reports = [long, "moderate left pleural effusion", long + " today", "", long, "small right pneumothorax"]
    found = pairs(alike_reports(reports))
    assert set(found) == {(2, 0)}
    assert found[2, 0] == pytest.approx(17 / 18)


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare_is_no_edge(count: int):
    assert len(alike_images(np.zeros((count, 32), np.uint8))) == 0
    assert len(alike_films(np.ones((count, 8)))) == 0
    assert len(alike_reports(["x"] * count)) == 0
