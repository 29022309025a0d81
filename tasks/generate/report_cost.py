"""What a report that passed cost, by the entity that it was asked for: attempts, tokens, seconds, currency.

A report is paid for by its entities in equal parts, so that the parts of all entities sum to what the shards spent.
An entity that the model finds hard shows in its attempts and in its tokens per accepted report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from itertools import chain

from storage.records import RejectRow, ReportRow

STAGE = "reports"


@dataclass(frozen=True, slots=True)
class EntityCost:
    """One entity's reports.

    Args:
        entity: id in the bank.
        asked, accepted: reports that were asked to state it, and those of them that passed.
        attempts: drafts of those reports.
        tokens, seconds, currency: the entity's share of what those reports cost, rejected drafts included.
    """

    entity: str
    asked: int = 0
    accepted: int = 0
    attempts: int = 0
    tokens: float = 0.0
    seconds: float = 0.0
    currency: float = 0.0

    @property
    def tokens_per_accepted(self) -> float | None:
        """None when none was accepted."""
        return self.tokens / self.accepted if self.accepted else None

    @property
    def attempts_per_accepted(self) -> float | None:
        """None when none was accepted."""
        return self.attempts / self.accepted if self.accepted else None

    def __add__(self, other: EntityCost) -> EntityCost:
        _, *mine = astuple(self)
        _, *theirs = astuple(other)
        return EntityCost(self.entity, *(a + b for a, b in zip(mine, theirs, strict=True)))


def shard_costs(
    rows: Sequence[ReportRow],
    rejects: Sequence[RejectRow],
    *,
    seconds: float,
    tokens: int | None = None,
    cost_per_hour: float = 0.0,
) -> dict[str, EntityCost]:
    """What one shard's reports cost, by entity.

    Args:
        rows: the reports that passed.
        rejects: what failed; only the rejects of the report stage count, others' reports are among the rows.
        seconds: wall time of the report stage; it is apportioned by tokens, or by attempts where no model ran.
        tokens: of all drafts, as the shard's counts have them (``reports.tokens``); what the rows do not account for
            is shared by the rejects, by attempts. None: the rejects' tokens are not known and count as none.
        cost_per_hour: currency per hour of the machine.
    """
    failed = [reject for reject in rejects if reject.stage == STAGE]
    spent = [float(row.tokens_all_attempts) for row in rows]
    left = max(0.0, (tokens or 0) - sum(spent))
    tries = sum(reject.attempts for reject in failed)
    spent += [left * reject.attempts / tries for reject in failed]
    weights = spent if sum(spent) else [float(sample.attempts) for sample in chain(rows, failed)]
    whole = sum(weights)
    costs: dict[str, EntityCost] = {}
    for number, (sample, used, weight) in enumerate(zip(chain(rows, failed), spent, weights, strict=True)):
        share = 1 / len(sample.entities) if sample.entities else 0.0
        took = seconds * weight / whole * share
        for entity in sample.entities:
            one = EntityCost(
                entity, 1, int(number < len(rows)), sample.attempts, used * share, took, took * cost_per_hour / 3600
            )
            costs[entity] = costs[entity] + one if entity in costs else one
    return costs


def total(shards: Iterable[Mapping[str, EntityCost]]) -> list[EntityCost]:
    """All shards together, the entity with the most tokens per accepted report first; never accepted comes before."""
    costs: dict[str, EntityCost] = {}
    for shard in shards:
        for entity, cost in shard.items():
            costs[entity] = costs[entity] + cost if entity in costs else cost
    return sorted(costs.values(), key=_dearest)


def table(costs: Sequence[EntityCost], most: int = 20) -> list[list[str]]:
    """A heading and one row for each of the first `most` entities, as text."""
    heading = ["entity", "asked", "accepted", "attempts each", "tokens each", "seconds each", "cost each"]
    return [heading, *(_line(cost) for cost in costs[:most])]


def _line(cost: EntityCost) -> list[str]:
    def each(value: float, form: str) -> str:
        return format(value / cost.accepted, form) if cost.accepted else "-"

    return [
        cost.entity, str(cost.asked), str(cost.accepted), each(cost.attempts, ".2f"), each(cost.tokens, ".1f"),
        each(cost.seconds, ".3f"), each(cost.currency, ".2g"),
    ]  # fmt: skip


def _dearest(cost: EntityCost) -> tuple[float, str]:
    each = cost.tokens_per_accepted
    return (float("-inf") if each is None else -each, cost.entity)
