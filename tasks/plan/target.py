"""How often each entity is asked for: evenly, by the square root of a corpus's counts, or as the corpus has it.

A target becomes a deck that holds each entity as often as its share says, so that random access, repair and
exact counts per pass stay what they are. The deck is bounded: an entity whose share is less than half a card
of it may never be dealt, and `Plan.report` counts those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from models.phantom.bank import Entity
from tasks.plan.errors import BankError

Target = Literal["uniform", "square_root", "empirical"]
LARGEST_DECK = 4096
CARDS_FOR_RAREST = 8
MOST_SAMPLES = 0.75
"""No concept is asked for in more of the samples: the rules need the others to move cards to."""


def weights_of(
    entities: Sequence[Entity], concepts: Sequence[int] | np.ndarray, target: Target, per_sample: int, bank: str
) -> np.ndarray:
    """How many cards each entity of one type gets in a pass.

    Args:
        entities: the entities of the type.
        concepts: what each speaks of; entities of one concept never share a sample.
        target: the distribution.
        per_sample: entities of this type in a sample.
        bank: the bank's name, for messages.

    Returns:
        (len(entities),) int64, 0 for an entity that is too rare for the deck.

    Raises:
        BankError: the bank has no counts.
    """
    if target == "uniform":
        return np.ones(len(entities), dtype=np.int64)
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
    shares = capped(np.sqrt(counts) if target == "square_root" else counts, concepts, per_sample)
    rarest = CARDS_FOR_RAREST / shares[shares > 0].min()
    return apportion(shares, int(np.clip(round(rarest), len(entities), max(LARGEST_DECK, 2 * len(entities)))))


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
