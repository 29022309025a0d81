"""The balanced sampler: a shuffled deck per entity type, with random access and plausible samples.

Slot *s* of a type takes card ``s mod n`` of permutation number ``s div n`` of its n cards, with no state. Each
entity is one card, so counts differ by at most one at every slot; or, with weights, as many cards as its weight
says, so counts follow the weights. A permutation is then rearranged inside itself (`tasks.plan.deck.repair`) until no
sample breaks a rule; that keeps every count exact at its ends.

What a rearrangement reads is bounded, which is what keeps the access random: a pass looks at the types
settled before its own; an even pass at nothing of its own type but itself; an odd pass also at its two even
neighbours, with which it may share a sample. A sample never spans more than two passes, since a report
holds at most as many entities of a type as there are. Types that have the least room to give way are
settled first.

A pass may have no arrangement. That is an error here; the sampler of a plan goes on (`tasks.plan.deck.plan_sampler`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import numpy as np

from models.contracts import EntityType
from tasks.plan.deck.deck import key_of, spread_permutations
from tasks.plan.deck.repair import Context, Spare, repair
from tasks.plan.errors import InfeasiblePlan
from tasks.plan.rules.constraints import RULES, ConflictTable

ORDER: tuple[EntityType, ...] = (
    EntityType.DISEASE,
    EntityType.ABNORMALITY,
    EntityType.NON_ABNORMALITY,
    EntityType.NON_DISEASE,
    EntityType.ANATOMY,
)
"""The order in which a sample mentions its entities."""

SMALLEST_BLOCK = 4096
CACHED_BLOCKS = 4


@dataclass(frozen=True, slots=True)
class Deck:
    """The cards of one type, and how many of them a sample holds.

    Args:
        type: the type.
        cards: (n,) numbers in the bank, each entity in proportion to its weight, its copies side by side.
        weights: (entities,) copies of each dealt entity; their sum is n.
        per_sample: cards of a sample.
        key: the source of its shuffles.
    """

    type: EntityType
    cards: np.ndarray
    weights: np.ndarray
    per_sample: int
    key: int

    def dealt(self, passes: np.ndarray) -> np.ndarray:
        """The cards of whole passes before any repair: (passes, n) int32."""
        return self.cards[spread_permutations(self.key, passes, self.weights)]


@dataclass(slots=True)
class RepairCount:
    """How many slots were dealt, and how many of those the rules moved to another card (a swap moves two).

    `refused` counts the pairs (of the rule ``place``: the places) that were dealt into one sample against a rule, by
    the kind of the rule. `left` counts by entity number how often one was left out.
    """

    dealt: dict[EntityType, int] = field(default_factory=dict)
    moved: dict[EntityType, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    left: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled:
    """A run of samples.

    Args:
        rows: (samples, columns) entity numbers.
        left: (samples, columns) the entity that was left out where another one is dealt for it, else -1.
        broken: (samples,) samples that break a rule, since no entity of some type fitted.
    """

    rows: np.ndarray
    left: np.ndarray
    broken: np.ndarray

    def part(self, start: int, stop: int, columns: np.ndarray | slice = slice(None)) -> Settled:
        """Some of the samples, and of their columns."""
        held = slice(start, stop)
        return Settled(self.rows[held, columns], self.left[held, columns], self.broken[held])

    @staticmethod
    def nothing(samples: int, columns: int = 0) -> Settled:
        """Samples without entities yet."""
        empty = np.full((samples, columns), -1, dtype=np.int32)
        return Settled(empty, empty, np.zeros(samples, dtype=bool))


class BalancedSampler:
    """Which entities sample *i* holds, for any *i*.

    Args:
        pools: the entity numbers of each type.
        per_report: how many entities of each type a sample holds; a type may be missing.
        table: which entities may not meet.
        fingerprint: the source of all randomness.
        smallest_block: at least so many samples are settled and cached at once.
        weights: for types that are not dealt evenly, a non-negative integer per entity of its pool; a pass deals
            each entity as often (weights are taken without their common divisor), and 0 is never dealt.

    Raises:
        InfeasiblePlan: weights that would put one entity twice into a sample, or too few entities.
    """

    def __init__(
        self,
        pools: Mapping[EntityType, Sequence[int]],
        per_report: Mapping[EntityType, int],
        table: ConflictTable,
        fingerprint: str,
        smallest_block: int = SMALLEST_BLOCK,
        weights: Mapping[EntityType, Sequence[int] | np.ndarray] | None = None,
    ) -> None:
        self.decks = tuple(
            _deck(kind, pools[kind], (weights or {}).get(kind), per_report[kind], fingerprint)
            for kind in ORDER
            if per_report.get(kind, 0)
        )
        for deck in self.decks:
            _check_deck(deck, table)
        self.table = table
        self.width = sum(deck.per_sample for deck in self.decks)
        self._settling = tuple(settling_order(self.decks, table))
        widest = max((-(-len(deck.cards) // deck.per_sample) for deck in self.decks), default=1)
        self._block = max(smallest_block, 1 << (2 * widest - 1).bit_length())
        self._samples: int | None = None
        self._cache: OrderedDict[int, Settled] = OrderedDict()

    def columns(self) -> dict[EntityType, slice]:
        """Which columns of `draw` hold which type."""
        edges = np.cumsum([0, *(deck.per_sample for deck in self.decks)])
        pairs = zip(self.decks, pairwise(edges), strict=True)
        return {deck.type: slice(int(start), int(stop)) for deck, (start, stop) in pairs}

    def draw(self, start: int, stop: int) -> np.ndarray:
        """The entity numbers of samples `start` to `stop` (exclusive).

        Returns:
            (stop - start, width) int32, types in `ORDER`.

        Raises:
            InfeasiblePlan: no arrangement of a pass satisfies the rules.
        """
        return np.concatenate([part.rows for part in self._parts(start, stop)])

    def left_out(self, start: int, stop: int) -> np.ndarray:
        """Which entities were left out of those samples, shaped as `draw`: -1 where the entity is the one dealt."""
        return np.concatenate([part.left for part in self._parts(start, stop)])

    def count_repairs(self, stop: int) -> RepairCount:
        """How many cards the rules moved among samples 0 to `stop`, and which rules they were."""
        count = RepairCount({deck.type: stop * deck.per_sample for deck in self.decks}, {}, dict.fromkeys(RULES, 0))
        for start in range(0, stop, self._block):
            end = min(start + self._block, stop)
            dealt = [
                self._dealt(deck, start * deck.per_sample, end * deck.per_sample).reshape(end - start, -1)
                for deck in self.decks
            ]
            first, last = np.concatenate(dealt, axis=1), self.draw(start, end)
            for kind, held in self.columns().items():
                moved = int((first[:, held] != last[:, held]).sum())
                count.moved[kind] = count.moved.get(kind, 0) + moved
            for places in range(self.width)[self.columns().get(EntityType.ANATOMY, slice(0))]:
                unplaceable = int(self.table.unplaceable(first[:, places], first).sum())
                count.refused["place"] += unplaceable
            left = self.left_out(start, end)
            for number, times in zip(*np.unique(left[left >= 0], return_counts=True), strict=True):
                count.left[int(number)] = count.left.get(int(number), 0) + int(times)
            for a, b in combinations(range(self.width), 2):
                for rule, broken in self.table.broken(first[:, a], first[:, b]).items():
                    count.refused[rule] += int(broken.sum())
        return count

    def _dealt(self, deck: Deck, start: int, stop: int) -> np.ndarray:
        """The cards of slots `start` to `stop` before any repair."""
        n = len(deck.cards)
        passes = np.arange(start // n, -(-stop // n))
        return deck.dealt(passes).ravel()[start - passes[0] * n : stop - passes[0] * n]

    def _parts(self, start: int, stop: int) -> list[Settled]:
        """Samples `start` to `stop`, in the pieces in which they are settled and cached."""
        if stop <= start:
            return [Settled.nothing(0, self.width)]
        parts = []
        for number in range(start // self._block, (stop - 1) // self._block + 1):
            first = number * self._block
            low, high = max(start - first, 0), min(stop - first, self._block)
            parts.append(self._block_of(number, high).part(low, high))
        return parts

    def _block_of(self, number: int, least: int) -> Settled:
        """At least the first `least` samples of a block; more of it only where the plan has more."""
        known = self._cache.get(number)
        if known is None or len(known.rows) < least:
            first = number * self._block
            samples = self._block if self._samples is None else min(self._block, self._samples - first)
            known = self._cache[number] = self._settle_all(first, first + max(samples, least))
        self._cache.move_to_end(number)
        while len(self._cache) > CACHED_BLOCKS:
            self._cache.popitem(last=False)
        return known

    def settle(self, start: int, stop: int) -> np.ndarray:
        """What `draw` gives, worked out anew from exactly the passes that touch these samples."""
        return self._settle_all(start, stop).rows

    def _settle_all(self, start: int, stop: int) -> Settled:
        """Samples `start` to `stop` with all their types, in `ORDER`."""
        settled = self._settle(len(self.decks), start, stop)
        edges = np.cumsum([0, *(deck.per_sample for deck in self._settling)])
        held = {deck.type: np.arange(*edge) for deck, edge in zip(self._settling, pairwise(edges), strict=True)}
        return settled.part(0, stop - start, np.concatenate([held[deck.type] for deck in self.decks]))

    def _settle(self, types: int, start: int, stop: int) -> Settled:
        """The first `types` types to be settled, for samples `start` to `stop`."""
        if types == 0:
            return Settled.nothing(stop - start)
        deck = self._settling[types - 1]
        k, n = deck.per_sample, len(deck.cards)
        low = start * k // n
        high = -(-stop * k // n)
        low -= low % 2  # an odd pass needs the even passes on both sides of it
        high += 1 - high % 2
        begin, end = low * n // k, -(-high * n // k)
        before, spare = self._settle(types - 1, begin, end), self._spare(deck, end - begin)
        context = Context(
            before=before.rows,
            own=np.full((end - begin) * k, -1, dtype=np.int32),
            per_sample=k,
            first_sample=begin,
            table=self.table,
            type=deck.type,
            spare=spare,
        )
        for parity in (0, 1):
            passes = np.arange(low + parity, high, 2)
            if not len(passes):
                continue
            slots = passes[:, None] * n + np.arange(n)[None, :] - begin * k
            context.own[slots] = deck.dealt(passes)
            repair(context, slots)
        left = np.full_like(context.own, -1) if spare is None else spare.left
        settled = Settled(
            np.concatenate([before.rows, context.own.reshape(-1, k)], axis=1),
            np.concatenate([before.left, left.reshape(-1, k)], axis=1),
            before.broken if spare is None else before.broken | spare.broken,
        )
        return settled.part(start - begin, stop - begin)

    def _spare(self, deck: Deck, samples: int) -> Spare | None:  # noqa: ARG002
        """How a type is settled where a pass has no arrangement; None makes that an error."""
        return None


def _deck(
    kind: EntityType,
    pool: Sequence[int],
    weights: Sequence[int] | np.ndarray | None,
    per_sample: int,
    fingerprint: str,
) -> Deck:
    copies = np.ones(len(pool), dtype=np.int64) if weights is None else np.asarray(weights, dtype=np.int64)
    if copies.shape != (len(pool),) or (copies < 0).any():
        raise ValueError(f"{kind.value}: a pool of {len(pool)} needs as many weights, none below 0")
    held = np.flatnonzero(copies)
    copies = copies[held] // max(1, np.gcd.reduce(copies[held], initial=0))
    cards = np.repeat(np.asarray(pool, dtype=np.int32)[held], copies)
    return Deck(kind, cards, copies, per_sample, key_of(fingerprint, f"deck {kind.value}"))


def _check_deck(deck: Deck, table: ConflictTable) -> None:
    kind, entities, n = deck.type.value, len(deck.weights), len(deck.cards)
    if deck.per_sample > entities:
        raise InfeasiblePlan(
            f"{deck.per_sample} {kind} entities a sample, but only {entities} are dealt (the others have weight 0): "
            f"ask for fewer in plan.per_report.{kind}"
        )
    most = int(deck.weights.max())
    if most * deck.per_sample > n:
        term = table.entities[deck.cards[np.repeat(deck.weights, deck.weights).argmax()]].term
        raise InfeasiblePlan(
            f"{kind} {term!r} has {most} of {n} cards, and with {deck.per_sample} a sample it would have to stand "
            f"twice in one: give it at most 1/{deck.per_sample} of the cards"
        )


def settling_order(decks: Sequence[Deck], table: ConflictTable) -> list[Deck]:
    """The decks in the order in which they are settled, the one with the least room first.

    A deck's room is the number of samples that one of its passes spans, times the share of them that its
    most restricted card could go to if every other deck were settled before. Where places do not fit all findings,
    they are last: what a place may do follows from all findings of its sample.
    """
    order: list[Deck] = []
    left = list(decks)
    while left:
        room = [_room(deck, [other for other in left if other is not deck], table) for deck in left]
        if table.has_incompatible:
            room = [np.inf if deck.type is EntityType.ANATOMY else free for deck, free in zip(left, room, strict=True)]
        order.insert(0, left.pop(int(np.argmax(room))))
    return order


def _room(deck: Deck, others: Sequence[Deck], table: ConflictTable) -> float:
    blocked = np.zeros(len(deck.cards))
    for other in others:
        share = other.per_sample / len(other.cards)
        blocked += share * table.count_conflicts(deck.cards, other.cards)
    return len(deck.cards) / deck.per_sample * (1 - float(blocked.max()))
