"""The sampler of a plan: it settles no more samples than the plan has, and goes on where the rules leave no way.

A pass that cannot be arranged leaves the cards without a place out and deals others of the type for them, those
first that it has least of. A sample whose other types leave nothing of a type is found anew as a whole. Both follow
from the fingerprint and the number of the pass or the sample alone, so access stays random; `left_out` names the
entities. So a plan fails only where no sample at all satisfies the rules, and that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.contracts import EntityType
from tasks.plan.deck.deck import hashes, key_of
from tasks.plan.deck.repair import Spare
from tasks.plan.deck.sampler import BalancedSampler, Deck, Settled
from tasks.plan.deck.whole import Pools, SampleSearch, largest_feasible, told_apart
from tasks.plan.errors import InfeasiblePlan
from tasks.plan.rules.constraints import ConflictTable

FEW_STEPS = 200
"""So many entities are tried for one sample before it is given the one that is known to satisfy the rules."""


class PlanSampler(BalancedSampler):
    """A `BalancedSampler` that leaves out what cannot be placed.

    Args:
        pools, per_report, table, fingerprint, weights: see `BalancedSampler`.
        samples: how many samples the plan has.

    Raises:
        InfeasiblePlan: no sample satisfies the rules; the largest feasible number is named.
    """

    def __init__(
        self,
        pools: Mapping[EntityType, Sequence[int]],
        per_report: Mapping[EntityType, int],
        table: ConflictTable,
        fingerprint: str,
        weights: Mapping[EntityType, np.ndarray],
        samples: int,
    ) -> None:
        dealt = {kind: np.asarray(pools[kind])[weights[kind] > 0] for kind, count in per_report.items() if count}
        for kind, held in dealt.items():
            if len(held) < per_report[kind]:
                raise InfeasiblePlan(
                    f"plan.per_report.{kind.value} is {per_report[kind]}, but plan.target deals only {len(held)} of "
                    f"{len(pools[kind])} {kind.value} entities, as the others are too rare: at most {len(held)} are "
                    "feasible, or set plan.target=uniform"
                )
        self._fallback = find_sample(table, dealt, per_report)
        super().__init__(pools, per_report, table, fingerprint, weights=weights)
        self._samples = samples
        self._key = key_of(fingerprint, "left out")
        self._held = {deck.type: np.unique(deck.cards, return_counts=True) for deck in self.decks}

    def _spare(self, deck: Deck, samples: int) -> Spare:
        entities, weights = self._held[deck.type]
        left = np.full(samples * deck.per_sample, -1, dtype=np.int32)
        return Spare(entities, weights, self._key, left, np.zeros(samples, dtype=bool))

    def _settle_all(self, start: int, stop: int) -> Settled:
        settled = super()._settle_all(start, stop)
        for at in np.flatnonzero(settled.broken):
            self._mend(settled, int(at), start + int(at))
        return settled

    def _mend(self, settled: Settled, at: int, index: int) -> None:
        """Give a sample that breaks a rule entities that satisfy all, its own first and then any."""
        columns, pools = self.columns(), {}
        for kind, (every, _) in self._held.items():
            drawn = hashes(self._key, index, every)
            drawn[np.searchsorted(every, settled.rows[at, columns[kind]])] = 0
            pools[kind] = every[drawn.argsort(kind="stable")]
        wanted = {deck.type: deck.per_sample for deck in self.decks}
        found = SampleSearch(self.table, FEW_STEPS).find(pools, wanted) or self._fallback
        for kind, held in columns.items():
            row, left = settled.rows[at, held], settled.left[at, held]
            new = [number for number in found if self.table.entities[number].type is kind]
            more = iter([number for number in new if number not in row])
            for column, number in enumerate(row.tolist()):
                if number in new and number not in row[:column]:
                    continue
                left[column] = number if left[column] < 0 else left[column]
                row[column] = next(more)


def find_sample(
    table: ConflictTable, pools: Mapping[EntityType, np.ndarray], per_report: Mapping[EntityType, int]
) -> tuple[int, ...]:
    """The entity numbers of one sample that satisfies the rules.

    Raises:
        InfeasiblePlan: there is none; the largest feasible number is named.
    """
    search, few = SampleSearch(table), told_apart(table, pools, max(per_report.values()))
    found = search.find(few, per_report)
    if found is None:
        raise InfeasiblePlan(_infeasible(search, few, per_report))
    return found


def _infeasible(search: SampleSearch, pools: Pools, per_report: Mapping[EntityType, int]) -> str:
    sure = "can have" if not search.gave_up else "was found with"
    largest = largest_feasible(search, pools, per_report)
    less = [kind for kind, count in per_report.items() if largest[kind] < count]
    asked = ", ".join(f"{kind.value} {count}" for kind, count in per_report.items())
    numbers = ", ".join(f"plan.per_report.{kind.value}={largest[kind]}" for kind in less)
    return (
        f"plan.per_report: no report {sure} {asked}, since the rules of plan.constraints keep the bank's entities "
        f"apart: the largest feasible number is {numbers}; or add entities of other findings or places to the bank, "
        "or loosen plan.constraints"
    )
