"""The plan: which samples a recipe makes, cut into shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from models.contracts import Mention, ProgressCallback
from tasks.plan.axes import AxisDecks, prompt_prefix
from tasks.plan.deck.feasible import check_cap
from tasks.plan.deck.plan_sampler import PlanSampler
from tasks.plan.errors import PlanError
from tasks.plan.layout import ShardLayout
from tasks.plan.prepare import Prepared, prepare
from tasks.plan.spec import SampleSpec, sample_id
from tasks.recipe.schema import Recipe

CHUNK = 16_384
SHOWN = 3


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What the rules did to the plan's first `samples` samples.

    Args:
        samples: how many were drawn for the counts.
        dealt: entity slots per type.
        moved: slots whose card the rules moved, per type; a swap moves two.
        refused: pairs (or places) that a sample was dealt against a rule, per kind of rule (`constraints.RULES`).
        never_dealt: entities of the bank that are too rare for the target's deck.
        left_out: how often an entity was left out, as the rules gave it no sample, the most often first; others of
            its type were dealt in its place.
    """

    samples: int
    dealt: Mapping[str, int]
    moved: Mapping[str, int]
    refused: Mapping[str, int] = field(default_factory=dict)
    never_dealt: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def moved_share(self) -> float:
        """Share of all slots that the rules moved, in [0, 1]."""
        return sum(self.moved.values()) / max(1, sum(self.dealt.values()))

    @property
    def refused_shares(self) -> dict[str, float]:
        """For each kind of rule the pairs of cards it refused, per slot."""
        slots = max(1, sum(self.dealt.values()))
        return {kind: number / slots for kind, number in self.refused.items()}

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {share:.2%}" for kind, share in self.refused_shares.items() if share) or "none"
        rare = f"; {self.never_dealt} entities are too rare for the target to be dealt" if self.never_dealt else ""
        left = ""
        if self.left_out:
            some = ", ".join(f"{name} ({times})" for name, times in list(self.left_out.items())[:SHOWN])
            left = (
                f"; {sum(self.left_out.values())} times an entity had no sample that the rules allow and another one "
                f"of its type was dealt, for {len(self.left_out)} entities: {some}"
                f"{', ...' if len(self.left_out) > SHOWN else ''}"
            )
        said = f"the rules moved {self.moved_share:.1%} of the entities dealt (refused per entity: {kinds})"
        return f"{said}{rare}{left}"


class Plan:
    """All samples of a recipe, with random access. Made by `make_plan`.

    Samples 0 to `pairs` lie in the base shards; those up to `total` are room for top-up shards, whose entities are
    those that rejected samples gave back (`tasks.plan.deck.top_up`). The last shard of each kind may be short.
    """

    def __init__(self, recipe: Recipe, fingerprint: str, prepared: Prepared) -> None:
        self.fingerprint, self.entities, self.notes = fingerprint, prepared.entities, prepared.notes
        self.pairs, self.shard_size = recipe.pairs, recipe.shard_size
        self.layout = ShardLayout.of(recipe.pairs, recipe.shard_size, recipe.top_up)
        self.sampler = PlanSampler(
            prepared.pools, prepared.per_report, prepared.table, fingerprint, prepared.weights, recipe.pairs
        )
        self._never_dealt = sum(int((held == 0).sum()) for held in prepared.weights.values())
        self._attributes = prepared.attributes
        self._axes = AxisDecks(recipe.plan.axes, fingerprint)
        self._prefixed = recipe.images.prompt_axes
        if self._prefixed and recipe.plan.axes is None:
            raise PlanError("images.prompt_axes is true, but plan.axes names no axis: name some, or set it to false")
        self._mentions: dict[int, Mention] = {}

    @property
    def base_shards(self) -> range:
        """See `ShardLayout`."""
        return self.layout.base_shards

    @property
    def top_up_shards(self) -> range:
        """See `ShardLayout`."""
        return self.layout.top_up_shards

    def bounds(self, shard: int) -> tuple[int, int]:
        """First and last (exclusive) sample index of a base shard.

        Raises:
            IndexError: no such shard.
        """
        if shard not in self.base_shards:
            raise IndexError(f"shard {shard} is not in the plan: it has shards 0 to {self.base_shards.stop - 1}")
        return self.layout.bounds(shard)

    def shard(self, number: int) -> list[SampleSpec]:
        """The samples of one base shard, in order."""
        return self.samples(*self.bounds(number))

    def sample(self, index: int) -> SampleSpec:
        """Sample `index`.

        Raises:
            IndexError: outside the plan.
        """
        self._check(index)
        return self.samples(index, index + 1)[0]

    def samples(self, start: int, stop: int) -> list[SampleSpec]:
        """Samples `start` to `stop` (exclusive)."""
        if start < stop:
            self._check(start)
            self._check(stop - 1)
        return self.specs(start, self.sampler.draw(start, stop))

    def specs(self, start: int, rows: np.ndarray) -> list[SampleSpec]:
        """The samples from index `start` on that hold the entities numbered `rows`, (samples, width)."""
        indices = np.arange(start, start + len(rows))
        mentions = self._mentions_of(rows, self._attributes.draw(indices, rows))
        return [
            SampleSpec(
                sample_id(self.fingerprint, index),
                index,
                self.layout.shard_of(index),
                tuple(said),
                axes,
                prompt_prefix(axes) if self._prefixed else "",
            )
            for index, said, axes in zip(indices.tolist(), mentions, self._axes.draw(indices), strict=True)
        ]

    def planned_counts(self, upto: int | None = None) -> dict[str, int]:
        """How often each entity is asked for among the first `upto` samples (default: `pairs`)."""
        stop = self.pairs if upto is None else upto
        counts = np.zeros(len(self.entities), dtype=np.int64)
        for start in range(0, stop, CHUNK):
            drawn = self.sampler.draw(start, min(start + CHUNK, stop))
            counts += np.bincount(drawn.ravel(), minlength=len(self.entities))
        kinds = {deck.type for deck in self.sampler.decks}
        return {entity.id: int(n) for entity, n in zip(self.entities, counts, strict=True) if entity.type in kinds}

    def report(self, upto: int | None = None) -> PlanReport:
        """What the rules did to the first `upto` samples (default: `pairs`)."""
        stop = self.pairs if upto is None else upto
        count = self.sampler.count_repairs(stop)
        return PlanReport(
            samples=stop,
            dealt={kind.value: number for kind, number in count.dealt.items()},
            moved={kind.value: number for kind, number in count.moved.items()},
            refused=count.refused,
            never_dealt=self._never_dealt,
            left_out={
                self.entities[number].id: times
                for number, times in sorted(count.left.items(), key=lambda item: (-item[1], item[0]))
            },
        )

    def left_out(self, start: int, stop: int) -> int:
        """How many entities were left out of samples `start` to `stop` (exclusive) and another one dealt."""
        return int((self.sampler.left_out(start, stop) >= 0).sum())

    def _mentions_of(self, rows: np.ndarray, values: np.ndarray) -> list[list[Mention]]:
        sides, zones, severities = (len(choice.names) + 1 for choice in self._attributes.choices)
        wide = rows.astype(np.int64)
        codes = ((wide * sides + values[0] + 1) * zones + values[1] + 1) * severities + values[2] + 1
        for code in np.unique(codes).tolist():
            if code not in self._mentions:
                rest, severity = divmod(code, severities)
                rest, zone = divmod(rest, zones)
                number, side = divmod(rest, sides)
                self._mentions[code] = self._attributes.mention(number, side - 1, zone - 1, severity - 1)
        known = self._mentions
        return [[known[code] for code in row] for row in codes.tolist()]

    def _check(self, index: int) -> None:
        if not 0 <= index < self.pairs:
            raise IndexError(f"sample {index} is not in the plan: it has samples 0 to {self.pairs - 1}")


def make_plan(recipe: Recipe, fingerprint: str, on_progress: ProgressCallback | None = None) -> Plan:
    """Plan a recipe. Samples are dealt where they are drawn; that every one can be is known beforehand.

    Args:
        recipe: what to plan.
        fingerprint: its fingerprint.
        on_progress: called with the name of a step, how much of it is done, and how much there is.

    Raises:
        BankError: the entity bank cannot be read.
        PlanError: the request is not feasible; the largest feasible number is named.
        InfeasiblePlan: the rules leave no sample; the largest feasible number is named.
    """
    plan = Plan(recipe, fingerprint, prepare(recipe, fingerprint, on_progress))
    if recipe.plan.max_use is not None:
        check_cap(plan.sampler, plan.pairs, recipe.plan.max_use, recipe.plan.bank)
    return plan
