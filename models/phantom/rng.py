"""Seed named streams: every part of a film draws from its own, so one finding never shifts another."""

from __future__ import annotations

import hashlib

import numpy as np


def digest(*keys: object) -> int:
    """A 128-bit number that depends on `keys` only, the same in every process."""
    text = "\x1f".join(str(key) for key in keys)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def stream(*keys: object) -> np.random.Generator:
    """A generator seeded by `keys`."""
    return np.random.Generator(np.random.PCG64(digest(*keys)))


def between(rng: np.random.Generator, span: tuple[float, float]) -> float:
    """One uniform draw from a (low, high) pair."""
    return float(span[0] + (span[1] - span[0]) * rng.random())


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)
