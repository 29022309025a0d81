"""Seeds: where a sample's randomness comes from, whatever the batch, the worker or the order."""

from __future__ import annotations

import hashlib

SEED_BITS = 53
"""vLLM takes 64-bit signed integers and torch.Generator 64-bit unsigned ones; JSON readers are exact up to 2**53.

A CPU torch.Generator keeps the low 32 bits only (its Mersenne twister), so among 200,000 films about five
pairs share a seed there; on a GPU (Philox) all bits count.
"""


def seed_for(fingerprint: str, sample_id: str, stage: str, attempt: int) -> int:
    """The seed of one attempt at one sample in one stage, in [0, 2**53)."""
    return digest_bits(fingerprint, sample_id, stage, str(attempt), bits=SEED_BITS)


def digest_bits(*parts: str, bits: int) -> int:
    """The first `bits` (at most 256) of SHA-256 over `parts`, which are kept apart by a separator."""
    text = "\x1f".join(parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") >> (256 - bits)
