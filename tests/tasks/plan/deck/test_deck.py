"""A deck deals every card once a pass, at random, without dealing the passes before."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from tasks.plan.deck.deck import hashes, key_of, permutations


@given(st.integers(0, 2**64 - 1), st.integers(0, 10**12), st.integers(1, 40))
def test_a_pass_is_a_permutation_and_the_same_alone_or_among_others(key: int, number: int, n: int) -> None:
    alone = permutations(key, np.array([number]), n)[0]
    among = permutations(key, np.arange(number, number + 5), n)
    assert sorted(alone) == list(range(n))
    assert (among[0] == alone).all()


def test_permutations_are_uniform() -> None:
    dealt = permutations(key_of("fingerprint", "test"), np.arange(24_000), 4)
    _, counts = np.unique(dealt @ [64, 16, 4, 1], return_counts=True)
    assert len(counts) == 24
    assert chisquare(counts).pvalue > 0.001


def test_coordinates_are_not_interchangeable() -> None:
    grid = hashes(7, np.arange(100)[:, None], np.arange(100)[None, :])
    assert len(np.unique(grid)) == grid.size
