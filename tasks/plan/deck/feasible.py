"""Say before the run whether it can be done, and how much of it could."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from models.contracts import Entity, EntityType
from tasks.plan.deck.sampler import BalancedSampler
from tasks.plan.errors import PlanError
from tasks.recipe.errors import did_you_mean

CHUNK = 16_384


def per_report_of(wanted: Mapping[str, int]) -> dict[EntityType, int]:
    """`plan.per_report` with its types.

    Raises:
        PlanError: unknown type, negative number, or nothing asked at all.
    """
    known = [kind.value for kind in EntityType]
    problems = []
    for name, count in wanted.items():
        if name not in known:
            near = did_you_mean(name, known)
            problems.append(f"plan.per_report: unknown entity type {name!r}{near} Known: {', '.join(known)}")
        elif count < 0:
            problems.append(f"plan.per_report.{name}: {count} is not allowed: at least 0 is needed")
    if not problems and not any(wanted.values()):
        problems.append("plan.per_report asks for no entity at all: ask for at least one of some type")
    if problems:
        raise PlanError(problems)
    return {EntityType(name): count for name, count in wanted.items() if count}


def check_feasible(
    entities: Sequence[Entity], per_report: Mapping[EntityType, int], pairs: int, max_use: int | None, bank: str
) -> None:
    """Check that the bank can serve the request: k <= |pool| and N k <= tau |pool| per type (paper section 2).

    Tau counts accepted pairs: a rejected sample gives its entities back, so N is `pairs` and not the plan's total.

    Raises:
        PlanError: what is too small, with the largest number that would be feasible.
    """
    pools = Counter(entity.type for entity in entities)
    problems = [
        f"plan.per_report.{kind.value} is {count}, but bank {bank!r} has {pools[kind]} {kind.value} "
        f"{'entity' if pools[kind] == 1 else 'entities'}: "
        + (f"at most {pools[kind]} are feasible" if pools[kind] else "set it to 0, or add some to the bank")
        for kind, count in per_report.items()
        if count > pools[kind]
    ]
    if max_use is not None and not problems:
        problems += _over_cap(pools, per_report, pairs, max_use, bank)
    if problems:
        raise PlanError(problems)


def _over_cap(
    pools: Mapping[EntityType, int], per_report: Mapping[EntityType, int], pairs: int, max_use: int, bank: str
) -> list[str]:
    largest = {kind: max_use * pools[kind] // count for kind, count in per_report.items()}
    problems = [
        f"{pairs} pairs x {per_report[kind]} {kind.value} a report is more than plan.max_use {max_use} x "
        f"{pools[kind]} {kind.value} entities in bank {bank!r}: at most {limit} pairs"
        for kind, limit in largest.items()
        if limit < pairs
    ]
    if problems:
        needed = max(-(-pairs * count // pools[kind]) for kind, count in per_report.items())
        problems.append(
            f"the largest feasible number is pairs={min(largest.values())}, or raise plan.max_use to {needed}"
        )
    return problems


def check_cap(sampler: BalancedSampler, pairs: int, max_use: int, bank: str) -> None:
    """Check tau against what is dealt, entity by entity: with weights, or where entities are left out.

    Raises:
        PlanError: the entity that is used too often, with the largest number of pairs that would be feasible.
    """
    counts, largest = np.zeros(len(sampler.table.entities), dtype=np.int64), dict.fromkeys(sampler.columns(), pairs)
    for start in range(0, pairs, CHUNK):
        rows = sampler.draw(start, min(start + CHUNK, pairs))
        for kind, held in sampler.columns().items():
            if largest[kind] == pairs:
                largest[kind] = min(pairs, start + _within(rows[:, held], counts, max_use))
        counts += np.bincount(rows.ravel(), minlength=len(counts))
    problems = []
    for deck in sampler.decks:
        if largest[deck.type] < pairs:
            most = deck.cards[counts[deck.cards].argmax()]
            problems.append(
                f"{pairs} pairs use {deck.type.value} {sampler.table.entities[most].term!r} of bank {bank!r} "
                f"{counts[most]} times, more than plan.max_use {max_use}: at most {largest[deck.type]} pairs"
            )
    if problems:
        remedy = f"the largest feasible number is pairs={min(largest.values())}"
        raise PlanError([*problems, f"{remedy}, or raise plan.max_use to {counts.max()}"])


def _within(rows: np.ndarray, counts: np.ndarray, most: int) -> int:
    """How many of `rows` come before one that uses an entity more than `most` times; `counts` is from before them."""
    used = counts.copy()
    used += np.bincount(rows.ravel(), minlength=len(used))
    if used[np.unique(rows)].max(initial=0) <= most:
        return len(rows)
    used = counts.copy()
    for number, row in enumerate(rows):
        used[row] += 1  # an entity stands at most once in a sample
        if used[row].max() > most:
            return number
    return len(rows)
