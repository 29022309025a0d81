"""Ranks of films and texts for each other, equal texts taken together."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.metrics.retrieval import ranks, recall_at, text_groups


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def slow_ranks(images: np.ndarray, texts: np.ndarray, groups: np.ndarray) -> list[tuple[float, float]]:
    """The definition, film by film: one text per group, any film of the group is right."""
    found = []
    for film, group in enumerate(groups):
        scores = [float(images[film] @ text) for text in texts]
        to_text = _place(scores, [group])
        scores = [float(texts[group] @ image) for image in images]
        to_film = _place(scores, [at for at, other in enumerate(groups) if other == group])
        found.append((to_text, to_film))
    return found


def _place(scores: list[float], right: list[int]) -> float:
    best = max(scores[at] for at in right)
    wrong = [score for at, score in enumerate(scores) if at not in right]
    level = [math.isclose(score, best, abs_tol=1e-12) for score in wrong]
    return 1 + sum(score > best for score, same in zip(wrong, level, strict=True) if not same) + sum(level) / 2


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 4))
def test_ranks_equal_the_definition_in_blocks_of_any_size(seed: int, films: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    groups = text_groups([f"text {number}" for number in rng.integers(0, films, films)])
    images, texts = unit(rng.integers(1, 3, (films, 3))), unit(rng.integers(1, 3, (groups.max() + 1, 3)))
    np.testing.assert_allclose(ranks(images, texts, groups, block), slow_ranks(images, texts, groups))


def test_equal_texts_are_one_whatever_their_case_and_spaces() -> None:
    assert text_groups(["No  effusion.", "Effusion.", "no effusion. "]).tolist() == [0, 1, 0]


def test_a_perfect_model_ranks_first_and_a_constant_one_in_the_middle() -> None:
    groups = np.arange(5)
    assert ranks(np.eye(5), np.eye(5), groups).tolist() == [[1, 1]] * 5
    same = unit(np.ones((5, 3)))
    assert ranks(same, same, groups).tolist() == [[3, 3]] * 5


def test_recall_counts_ranks_up_to_k_in_each_resample() -> None:
    found = np.array([1.0, 2.0, 7.0, 1.0])
    assert recall_at(found, 1).tolist() == [0.5]
    assert recall_at(found, 5).tolist() == [0.75]
    weights = np.array([[0.0, 0.0, 4.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert recall_at(found, 5, weights).tolist() == pytest.approx([0.0, 0.75])
