"""How often each entity is asked for: evenly, by the square root of a corpus's counts, or as the corpus has it.

A target becomes a deck that holds each entity in proportion to its share, so that random access, repair and
exact counts per pass stay what they are. The deck is bounded: an entity whose share is less than half a card
of it may never be dealt, and `Plan.report` counts those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from models.contracts import Entity, EntityType
from tasks.plan.errors import BankError

Target = Literal["uniform", "square_root", "empirical"]
LARGEST_DECK = 4096
CARDS_FOR_RAREST = 8
MOST_SAMPLES = 0.75
"""About so many of the samples a concept is asked for at most, denied or not: the rules move cards to the others."""

ROUNDS = 20
"""So often the shares are lowered to that: what one concept loses others gain."""


def deck_weights(
    entities: Sequence[Entity],
    concepts: np.ndarray,
    per_report: Mapping[EntityType, int],
    target: Target,
    bank: str,
) -> dict[EntityType, np.ndarray]:
    """How many cards each entity of each type gets in a pass.

    Args:
        entities: the bank.
        concepts: (len(entities),) the concept of each, as numbers; entities of one concept never share a sample.
        per_report: entities of each type in a sample.
        target: the distribution.
        bank: the bank's name, for messages.

    Returns:
        For each type of `per_report` an int64 array over its entities in the bank's order; 0 is too rare for the deck.

    Raises:
        BankError: the bank has no counts.
    """
    pools = {kind: np.array([n for n, e in enumerate(entities) if e.type is kind], dtype=int) for kind in per_report}
    if target == "uniform":
        return {kind: np.ones(len(pool), dtype=np.int64) for kind, pool in pools.items()}
    wanted = {kind: _wanted([entities[n] for n in pool], target, bank) for kind, pool in pools.items()}
    for _ in range(ROUNDS):
        shares = {kind: capped(wanted[kind], concepts[pool], per_report[kind]) for kind, pool in pools.items()}
        asked = np.zeros(int(concepts.max()) + 1)
        for kind, pool in pools.items():
            np.add.at(asked, concepts[pool], shares[kind] * per_report[kind])
        less = np.minimum(1.0, MOST_SAMPLES / np.maximum(asked, MOST_SAMPLES / 2))
        wanted = {kind: shares[kind] * less[concepts[pool]] for kind, pool in pools.items()}
    return {
        kind: _cards(capped(wanted[kind], concepts[pool], per_report[kind]), per_report[kind])
        for kind, pool in pools.items()
    }


def _wanted(entities: Sequence[Entity], target: Target, bank: str) -> np.ndarray:
    bare = [entity for entity in entities if entity.count is None]
    if bare:
        raise BankError(
            f"plan.target is {target}, but bank {bank!r} has no count for {len(bare)} of {len(entities)} "
            f"{bare[0].type.value} entities, such as {bare[0].term!r}: give it a column `count` (the banks of "
            "`synth audit entities` have it), or set plan.target=uniform"
        )
    counts = np.array([entity.count for entity in entities], dtype=np.float64)
    if not counts.any():
        raise BankError(f"plan.target is {target}, but every {entities[0].type.value} count of bank {bank!r} is 0")
    return np.sqrt(counts) if target == "square_root" else counts


def _cards(shares: np.ndarray, per_sample: int) -> np.ndarray:
    rarest = CARDS_FOR_RAREST / shares[shares > 0].min()
    cards = int(np.clip(round(rarest), len(shares), max(LARGEST_DECK, 2 * len(shares))))
    return apportion(shares, -(-cards // per_sample) * per_sample)  # whole samples: a share of 1/k has its exact cards


def capped(wanted: np.ndarray, concepts: Sequence[int] | np.ndarray, per_sample: int) -> np.ndarray:
    """Shares of a deck in proportion to `wanted`, where no concept has more than samples can hold.

    What a concept at the cap loses goes to the others in proportion (water filling). The cap is `MOST_SAMPLES`
    over `per_sample`, or an even share where that is more.

    Args:
        wanted: (n,) non-negative, with a sum above 0; a top-up may give deficits.
        concepts: (n,) the concept of each.
        per_sample: cards of a sample.

    Returns:
        (n,) float64 with the sum 1.
    """
    _, group = np.unique(np.asarray(concepts), return_inverse=True)
    sums = np.bincount(group, weights=wanted)
    cap = max(MOST_SAMPLES / per_sample, 1 / max(1, np.count_nonzero(sums)))
    shares = sums / sums.sum()
    full = np.zeros(len(shares), dtype=bool)
    while (shares > cap * (1 + 1e-12)).any():
        full |= shares >= cap
        free = np.where(full, 0.0, sums)
        shares = np.where(full, cap, free / max(free.sum(), 1e-300) * (1 - cap * full.sum()))
    factor = np.divide(shares, sums, out=np.zeros_like(shares), where=sums > 0)
    return wanted * factor[group]


def apportion(shares: np.ndarray, cards: int) -> np.ndarray:
    """`cards` cards in proportion to `shares` by largest remainder; ties go to the first. (n,) int64."""
    exact = shares / shares.sum() * cards
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: cards - int(whole.sum())]] += 1
    return whole
