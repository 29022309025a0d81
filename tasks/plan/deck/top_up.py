"""The samples of a top-up round: the entities of rejected samples, dealt into new ones.

The quota of an entity is charged when a pair is accepted. So the entities of every sample that the gates took
are free again, and dealing exactly those makes the accepted pairs as balanced as the plan (paper section 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from tasks.plan.deck.sampler import BalancedSampler
from tasks.plan.errors import InfeasiblePlan
from tasks.plan.layout import ShardLayout

DEALS = 16
"""So many shuffles are tried before the rejected samples are asked for again just as they were."""


@dataclass(frozen=True, slots=True)
class Round:
    """One round of topping up.

    Args:
        number: from 1.
        first: index of its first sample in the plan.
        rows: (samples, width) entity numbers, types in the sampler's order.
        shards: the shards that hold its samples; the last may be short.
        given_up: how many rejected samples no longer fit into the plan.
    """

    number: int
    first: int
    rows: np.ndarray
    shards: range
    given_up: int = 0


def redistribute_rejected(sampler: BalancedSampler, rows: np.ndarray, mark: str) -> np.ndarray:
    """The entities of `rows` with other entities, each as often as before, and no sample against a rule.

    Args:
        sampler: the plan's.
        rows: (samples, width) entity numbers of the rejected samples, as the sampler gives them.
        mark: the source of randomness.

    Returns:
        (samples, width) int32; `rows` itself where too few samples leave no other arrangement.
    """
    columns = sampler.columns()
    pools = {kind: np.unique(rows[:, held], return_counts=True) for kind, held in columns.items()}
    for deal in range(DEALS):
        try:
            again = BalancedSampler(
                {kind: entities.tolist() for kind, (entities, _) in pools.items()},
                {kind: held.stop - held.start for kind, held in columns.items()},
                sampler.table,
                f"{mark}/{deal}",
                weights={kind: counts.tolist() for kind, (_, counts) in pools.items()},
            )
            return again.settle(0, len(rows))
        except InfeasiblePlan:
            continue
    return rows


def parts(found: Round, size: int) -> Iterator[tuple[int, int, np.ndarray]]:
    """A round cut into shards: shard number, index of its first sample, and its (samples, width) entity numbers."""
    for number, shard in enumerate(found.shards):
        yield shard, found.first + number * size, found.rows[number * size : (number + 1) * size]


def next_round(
    sampler: BalancedSampler, layout: ShardLayout, rejected: np.ndarray, before: Sequence[Round], mark: str
) -> Round:
    """The round that follows `before`; it has no shards where nothing was rejected or no top-up shard is left.

    Args:
        sampler, layout: the plan's.
        rejected: (samples, width) entity numbers of those of the last round's samples that were not accepted.
        before: all earlier rounds.
        mark: the source of randomness.
    """
    left = layout.top_up_shards[sum(len(known.shards) for known in before) :]
    first = layout.bounds(left.start)[0] if left else layout.total
    rows = rejected[: layout.total - first]
    number = len(before) + 1
    dealt = redistribute_rejected(sampler, rows, f"{mark}/round {number}") if len(rows) else rows
    return Round(number, first, dealt, left[: ceil(len(rows) / layout.size)], len(rejected) - len(rows))
