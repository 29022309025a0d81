"""One whole sample that breaks no rule: whether there is any, and one for a sample whose decks left none.

Where places must suit findings, a place is taken first and then what makes it suit: a finding that has its place
there, or no finding that cannot lie there. All else is a depth-first search over pairs of entities that may meet, the
type with the fewest choices first. Entities that all rules treat alike are tried once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.contracts import EntityType
from tasks.plan.rules.constraints import ConflictTable

STEPS = 2_000
"""So many entities are tried before a search gives up."""

Pools = Mapping[EntityType, np.ndarray]


@dataclass(frozen=True, slots=True)
class _State:
    """A sample in the making: what it holds, what it lacks, and the entities that still fit, the preferred first."""

    chosen: tuple[int, ...]
    lacking: Mapping[EntityType, int]
    open_to: Pools

    @property
    def dead(self) -> bool:
        return any(len(self.open_to[kind]) < count for kind, count in self.lacking.items())


class SampleSearch:
    """Finds samples of `per_report` entities that break no rule of `table`.

    Args:
        table: the rules.
        steps: entities that a search may try.
    """

    def __init__(self, table: ConflictTable, steps: int = STEPS) -> None:
        self.table, self.steps = table, steps
        self._left = 0

    def find(self, pools: Pools, per_report: Mapping[EntityType, int]) -> tuple[int, ...] | None:
        """The entity numbers of a sample; None where there is none, or where the search gave up (`gave_up`).

        Args:
            pools: the entities of each type, the preferred first.
            per_report: how many of each type the sample holds.
        """
        self._left = self.steps
        lacking = {kind: count for kind, count in per_report.items() if count}
        return self._complete(_State((), lacking, {kind: pools[kind] for kind in lacking}))

    @property
    def gave_up(self) -> bool:
        """Whether the last search ended before it had tried everything."""
        return self._left <= 0

    def _complete(self, state: _State) -> tuple[int, ...] | None:
        if state.dead:
            return None
        if not state.lacking:
            return state.chosen
        places = self.table.has_incompatible and EntityType.ANATOMY in state.lacking
        kind = EntityType.ANATOMY if places else min(state.lacking, key=lambda k: len(state.open_to[k]))
        for at, entity in enumerate(state.open_to[kind].tolist()):
            self._left -= 1
            if self._left <= 0:
                return None
            # The entities of one type have no order, so those before this one need not be tried beside it.
            later = replace(state, open_to={**state.open_to, kind: state.open_to[kind][at:]})
            taken = self._take(later, kind, entity)
            for suited in self._suited(taken, entity) if places else (taken,):
                found = self._complete(suited)
                if found is not None:
                    return found
        return None

    def _take(self, state: _State, kind: EntityType, entity: int) -> _State:
        lacking = {name: count - (name is kind) for name, count in state.lacking.items() if count - (name is kind)}
        open_to = {name: state.open_to[name] for name in lacking}
        fits = {name: held[~self.table.conflicts(held, np.asarray(entity))] for name, held in open_to.items()}
        return _State((*state.chosen, entity), lacking, fits)

    def _suited(self, state: _State, place: int) -> Iterator[_State]:
        """The ways in which the findings of a sample can suit a place that it holds."""
        chosen = np.array(state.chosen, dtype=np.int64)
        if self.table.accommodates(place, chosen).any():
            yield state
            return
        if not self.table.incompatible(place, chosen).any():
            fits = {kind: held[~self.table.incompatible(place, held)] for kind, held in state.open_to.items()}
            yield replace(state, open_to=fits)
        for kind, held in state.open_to.items():
            for host in held[self.table.accommodates(place, held)].tolist():
                self._left -= 1
                yield self._take(state, kind, host)


def largest_feasible(
    search: SampleSearch, pools: Pools, per_report: Mapping[EntityType, int]
) -> dict[EntityType, int]:
    """The most entities of each type that one sample can hold: one type reduced where that is enough, least to none.

    Args:
        search: over the rules in question.
        pools: the entities of each type.
        per_report: what was asked for and cannot be had.
    """
    reduced = [(missing, kind) for kind, count in per_report.items() for missing in range(1, count + 1)]
    for missing, kind in sorted(reduced, key=lambda item: (item[0] == per_report[item[1]], item[0])):
        wanted = {**per_report, kind: per_report[kind] - missing}
        if any(wanted.values()) and search.find(pools, wanted) is not None:
            return wanted
    grown = dict.fromkeys(per_report, 0)
    for kind, count in per_report.items():
        while grown[kind] < count and search.find(pools, {**grown, kind: grown[kind] + 1}) is not None:
            grown[kind] += 1
    return grown


def told_apart(table: ConflictTable, pools: Mapping[EntityType, Sequence[int] | np.ndarray], most: int) -> Pools:
    """The pools with at most `most` of the entities that all rules treat alike, which is enough to find a sample.

    Args:
        table: the rules.
        pools: the entities of each type.
        most: the most entities of one type in a sample.
    """
    numbers = {kind: np.asarray(pool, dtype=np.int64) for kind, pool in pools.items()}
    classes = table.classes(np.concatenate(list(numbers.values())))
    return {kind: pool[_ranks(classes[pool]) < most] for kind, pool in numbers.items()}


def _ranks(classes: np.ndarray) -> np.ndarray:
    """For each item how many before it have its class."""
    order = np.argsort(classes, kind="stable")
    ordered = classes[order]
    ranks = np.empty(len(classes), dtype=np.int64)
    ranks[order] = np.arange(len(classes)) - np.searchsorted(ordered, ordered)
    return ranks
