"""Shuffled decks with random access: permutation number p of n cards, without the p before it.

A deck may hold a card several times. Its copies are then spread over a pass (one in each equal part of it),
so that counts follow the weights inside a pass too, and copies seldom meet in one sample.

Random numbers are hashes of their coordinates (splitmix64's finaliser, Steele et al. 2014), so that a
million of them are one numpy expression and none depends on another.
"""

from __future__ import annotations

import numpy as np

from tasks.plan.seeds import digest_bits

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MUL1, _MUL2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)


def key_of(fingerprint: str, purpose: str) -> int:
    """A 64-bit key for one purpose of one recipe."""
    return digest_bits(fingerprint, "plan", purpose, bits=64)


def hashes(key: int, *coordinates: np.ndarray | int) -> np.ndarray:
    """A uniform uint64 for each point of the broadcast `coordinates` (non-negative integers)."""
    arrays = np.broadcast_arrays(*(np.asarray(axis, dtype=np.uint64) for axis in coordinates))
    value = np.full(arrays[0].shape, key, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for axis in arrays:
            value = _mix(value + (axis + np.uint64(1)) * _GOLDEN)
    return value


def permutations(key: int, passes: np.ndarray, n: int) -> np.ndarray:
    """One permutation of ``range(n)`` per pass number.

    Args:
        key: from `key_of`.
        passes: (p,) pass numbers.
        n: cards in the deck.

    Returns:
        (p, n) int64.
    """
    return np.argsort(hashes(key, passes[:, None], np.arange(n)[None, :]), axis=1, kind="stable")


def spread_permutations(key: int, passes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`permutations` of a deck in which item i has ``weights[i]`` copies, one in each equal part of a pass.

    Args:
        key: from `key_of`.
        passes: (p,) pass numbers.
        weights: (items,) non-negative integers with the sum n; the copies of an item are neighbours in ``range(n)``.

    Returns:
        (p, n) int64; with all weights 1 it is what `permutations` gives.
    """
    n = int(weights.sum())
    if (weights == 1).all():
        return permutations(key, passes, n)
    starts = np.repeat(np.cumsum(weights) - weights, weights)
    copy, copies = np.arange(n) - starts, np.repeat(weights, weights)
    where = hashes(key, passes[:, None], np.arange(n)[None, :]) * 2.0**-64
    return np.argsort((copy + where) / copies, axis=1, kind="stable")


def _mix(value: np.ndarray) -> np.ndarray:
    value = (value ^ (value >> _S30)) * _MUL1
    value = (value ^ (value >> _S27)) * _MUL2
    return value ^ (value >> _S31)
