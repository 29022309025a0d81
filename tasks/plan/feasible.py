"""Say before the run whether it can be done, and how much of it could."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from models.contracts import EntityType
from models.phantom.bank import Entity
from tasks.plan.errors import PlanError
from tasks.plan.sampler import BalancedSampler, Deck
from tasks.recipe.errors import did_you_mean


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
            f"The largest feasible number is pairs={min(largest.values())}; or raise plan.max_use to {needed}"
        )
    return problems


def check_cap(sampler: BalancedSampler, pairs: int, max_use: int, bank: str) -> None:
    """Check tau against decks with weights: the entity with the most cards meets it first.

    Whole passes deal exactly the weights, so only the pass in which the cap is met is looked at; that is exact.

    Raises:
        PlanError: the entity that is used too often, with the largest number of pairs that would be feasible.
    """
    problems, largest, needed = [], pairs, max_use
    for deck, columns in zip(sampler.decks, sampler.columns().values(), strict=True):
        limit = _largest_under(sampler, deck, columns, max_use)
        if limit >= pairs:
            continue
        number, uses = _most_used(sampler, deck, columns, pairs)
        problems.append(
            f"{pairs} pairs use {deck.type.value} {sampler.table.entities[number].term!r} of bank {bank!r} {uses} "
            f"times, more than plan.max_use {max_use}: at most {limit} pairs"
        )
        largest, needed = min(largest, limit), max(needed, uses)
    if problems:
        remedy = f"The largest feasible number is pairs={largest}; or raise plan.max_use to {needed}"
        raise PlanError([*problems, remedy])


def _largest_under(sampler: BalancedSampler, deck: Deck, columns: slice, max_use: int) -> int:
    """The most samples, from the first on, that use no entity of `deck` more than `max_use` times."""
    whole = max_use // int(deck.weights.max())  # so many passes are surely within the cap, and one more is not
    k, n = deck.per_sample, len(deck.cards)
    start, stop = whole * n // k, -(-(whole + 1) * n // k)
    rows = sampler.draw(start, stop)[:, columns]
    used = _counts(sampler, deck, columns, start)
    for number, row in enumerate(rows):
        used[row] += 1  # an entity stands at most once in a sample
        if used[row].max() > max_use:
            return start + number
    return stop


def _most_used(sampler: BalancedSampler, deck: Deck, columns: slice, samples: int) -> tuple[int, int]:
    used = _counts(sampler, deck, columns, samples)
    return int(used.argmax()), int(used.max())


def _counts(sampler: BalancedSampler, deck: Deck, columns: slice, samples: int) -> np.ndarray:
    """How often the first `samples` samples hold each entity of `deck`: (entities of the bank,) int64."""
    k, n = deck.per_sample, len(deck.cards)
    whole = samples * k // n
    counts = np.bincount(deck.cards, minlength=len(sampler.table.entities)) * whole
    rest = sampler.draw(whole * n // k, samples)[:, columns].ravel()[whole * n % k :]
    return counts + np.bincount(rest, minlength=len(counts))
