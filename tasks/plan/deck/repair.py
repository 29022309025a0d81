"""Rearrange the cards of a pass until no sample breaks a rule.

Swaps first: a card that clashes trades places with the next card for which both then fit; all passes are
worked on at once. Where no swap helps, an exact search over the pass and a random walk, both with a limit.
Where these fail too, a card without a place is left out of the pass and another one is dealt for it, if that is
allowed (`Spare`); otherwise the plan is not feasible.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.contracts import EntityType
from tasks.plan.deck.deck import hashes
from tasks.plan.errors import InfeasiblePlan
from tasks.plan.rules.constraints import ConflictTable

REACHES = (8, 128)
SEARCHED_CARDS, FEW_CARDS = 512, 32
SEARCH_STEPS = 5_000
WALK_STEPS = 1_000


@dataclass(frozen=True, slots=True)
class Spare:
    """What may be dealt for a card that has no place, and what came of it.

    Args:
        entities: (entities,) the numbers of the type's entities, rising.
        weights: (entities,) cards of each in a pass.
        key: the source of the choice among those that fit.
        left: (slots,) the number of the entity that was left out of a slot, -1 where none was; written to.
        broken: (samples,) samples that no card of the type fits; written to.
    """

    entities: np.ndarray
    weights: np.ndarray
    key: int
    left: np.ndarray
    broken: np.ndarray


@dataclass(frozen=True, slots=True)
class Context:
    """A run of samples while one type is being settled.

    Args:
        before: (samples, columns) entity numbers of the types settled before.
        own: (samples * per_sample,) entity numbers of this type, -1 where not dealt yet; changed in place.
        per_sample: entities of this type in a sample.
        first_sample: index of the first sample in the plan, for messages.
        table: which entities may not meet.
        type: the type being settled, for messages.
        spare: how to go on where a pass has no arrangement; None makes that an error.
    """

    before: np.ndarray
    own: np.ndarray
    per_sample: int
    first_sample: int
    table: ConflictTable
    type: EntityType
    spare: Spare | None = None

    def co_occurring(self, slots: np.ndarray) -> np.ndarray:
        """The entities that share a sample with each slot: ``slots.shape + (columns,)``, -1 for none."""
        samples = slots // self.per_sample
        if self.per_sample == 1:
            return self.before[samples]
        mates = self.own.reshape(-1, self.per_sample)[samples]
        self_column = (slots % self.per_sample)[..., None] == np.arange(self.per_sample)
        return np.concatenate([self.before[samples], np.where(self_column, -1, mates)], axis=-1)

    def clash(self, cards: np.ndarray, slots: np.ndarray) -> np.ndarray:
        """Whether each card would break a rule in its slot, whatever lies there now; both broadcast."""
        co_occurring = self.co_occurring(slots)
        found = np.asarray(self.table.conflicts(cards[..., None], co_occurring).any(axis=-1))
        if self.table.has_incompatible and self.type is EntityType.ANATOMY:  # settled last, so all findings are there
            found |= self.table.unplaceable(cards, co_occurring)
        return found


def repair(context: Context, slots: np.ndarray) -> None:
    """Swap cards inside each pass until `context` has no clash.

    Args:
        context: the samples; `own` is rearranged in place.
        slots: (passes, n) the slots of each pass.

    Raises:
        InfeasiblePlan: a pass has no arrangement that satisfies the rules, and nothing is spare.
    """
    n = slots.shape[1]
    clashes = context.clash(context.own[slots], slots)
    given_up, hopeless = np.zeros(len(slots), dtype=bool), np.zeros(slots.shape, dtype=bool)
    rows = np.flatnonzero(clashes.any(axis=1))
    while len(rows):
        stuck = rows
        for near, far in pairwise((0, *(reach for reach in REACHES if reach < n - 1), n - 1)):
            stuck = stuck[~_swap_first(context, slots, clashes, stuck, np.arange(near + 1, far + 1))]
        for row in stuck:
            given_up[row] = given_up[row] or not _force(context, slots[row])
            if given_up[row]:
                first = int(clashes[row].argmax())
                hopeless[row, first] = not _leave_out(context, slots[row], first)
            clashes[row] = context.clash(context.own[slots[row]], slots[row])
        clashes &= ~hopeless
        rows = rows[clashes[rows].any(axis=1)]
    for row in np.flatnonzero(given_up):
        _note_left(context, slots[row])


def _swap_first(
    context: Context, slots: np.ndarray, clashes: np.ndarray, rows: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Trade the first clashing card of each pass in `rows` with the next one that fits, so many `steps` after it.

    Returns:
        (rows,) whether one did; `clashes` is kept true.
    """
    n, k = slots.shape[1], context.per_sample
    if not len(rows) or not len(steps):
        return np.zeros(len(rows), dtype=bool)
    here = clashes[rows].argmax(axis=1)
    others = (here[:, None] + steps) % n
    from_slot, to_slots = slots[rows, here], slots[rows[:, None], others]
    card, cards = context.own[from_slot], context.own[to_slots]
    fits = from_slot[:, None] // k != to_slots // k
    fits &= ~context.clash(cards, from_slot[:, None])
    fits &= ~context.clash(card[:, None], to_slots)
    chosen, found = fits.argmax(axis=1), fits.any(axis=1)
    each = np.arange(len(rows))
    from_slot, target = from_slot[found], to_slots[each, chosen][found]
    context.own[from_slot], context.own[target] = cards[each, chosen][found], card[found]
    # A swap changes only what clashes in its two samples.
    samples = np.concatenate([from_slot, target]) // k
    touched = samples[:, None] * k + np.arange(k)
    row = np.tile(rows[found], 2)[:, None]
    row, at = np.broadcast_arrays(row, touched - slots[row, 0])
    inside = (at >= 0) & (at < n)
    clashes[row[inside], at[inside]] = context.clash(context.own[touched[inside]], touched[inside])
    return found


def _force(context: Context, slots: np.ndarray) -> bool:
    """Arrange one pass that no swap helps: by search first, but for many cards with copies among them.

    Returns:
        Whether it is arranged; if not, it is as it was.

    Raises:
        InfeasiblePlan: it is not, and nothing is spare.
    """
    cards = context.own[slots].copy()
    few = len(cards) <= FEW_CARDS or len(np.unique(cards)) == len(cards)
    ways = (_search, _walk) if few else (_walk, _search)
    if not _too_few_places(context, slots):
        for way in ways:
            arranged = way(context, slots)
            if arranged:
                return True
            context.own[slots] = cards
            if arranged is None:
                break
    if context.spare is None:
        raise _infeasible(context, slots, cards)
    return False


def _too_few_places(context: Context, slots: np.ndarray) -> bool:
    """Whether the pass has no arrangement even if its own cards could all meet; False where that is not known."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    cards = context.own[slots].copy()
    if len(slots) > SEARCHED_CARDS:
        return False
    context.own[slots] = -1
    open_to = ~context.clash(cards[None, :], slots[:, None])
    context.own[slots] = cards
    return bool((maximum_bipartite_matching(csr_array(open_to)) < 0).any())


def _leave_out(context: Context, slots: np.ndarray, at: int) -> bool:
    """Deal another entity into slot `at` of a pass for the card there, the one that the pass has least of.

    Returns:
        Whether any fits; if none does, the slot stays as it is and its sample counts as broken.
    """
    spare, slot = context.spare, int(slots[at])
    assert spare is not None
    open_to = ~context.clash(spare.entities, np.full(len(spare.entities), slot))
    if not open_to.any():
        spare.broken[slot // context.per_sample] = True
        return False
    surplus = _surplus(spare, context.own[slots])
    fewest = np.flatnonzero(open_to & (surplus == surplus[open_to].min()))
    drawn = hashes(spare.key, slot + context.first_sample * context.per_sample, fewest)
    context.own[slot] = spare.entities[fewest[drawn.argmin()]]
    return True


def _note_left(context: Context, slots: np.ndarray) -> None:
    """Write down which entities a pass deals less often than it should, each in a slot of one dealt too often."""
    spare = context.spare
    assert spare is not None
    surplus = _surplus(spare, context.own[slots])
    lacking = np.repeat(spare.entities, np.maximum(-surplus, 0))
    over = np.maximum(surplus, 0)
    for slot in slots[::-1]:
        kind = int(np.searchsorted(spare.entities, context.own[slot]))
        if over[kind]:
            over[kind] -= 1
            spare.left[slot] = lacking[over.sum()]


def _surplus(spare: Spare, cards: np.ndarray) -> np.ndarray:
    """How many cards of each entity a pass has beyond its weight: (entities,) int64."""
    counts = np.bincount(np.searchsorted(spare.entities, cards), minlength=len(spare.entities))
    return counts - spare.weights


def _walk(context: Context, slots: np.ndarray) -> bool:
    """Swap on where only one of the two cards fits, at random, until all fit or `WALK_STEPS` are gone."""
    each, k = np.arange(len(slots)), context.per_sample
    for step in range(WALK_STEPS):
        clashing = np.flatnonzero(context.clash(context.own[slots], slots))
        if not len(clashing):
            return True
        drawn = int(hashes(int(slots[0]) + context.first_sample * k, step))
        here = int(clashing[drawn % len(clashing)])
        fits = ~context.clash(context.own[slots[here]], slots) & (slots // k != slots[here] // k)
        both = fits & ~context.clash(context.own[slots], slots[here])
        there = each[both] if both.any() else each[fits]
        if len(there):
            pair = slots[[here, there[(drawn >> 32) % len(there)]]]
            context.own[pair] = context.own[pair[::-1]]
    return False


def _search(context: Context, slots: np.ndarray) -> bool | None:
    """Find any arrangement of one pass by depth-first search, the slot with the fewest cards first.

    Returns:
        Whether one was found; None where there is none.
    """
    cards = context.own[slots].copy()
    n, samples = len(slots), slots // context.per_sample
    if n > SEARCHED_CARDS:
        return False
    context.own[slots] = -1  # what is left in these samples is fixed
    open_to = ~context.clash(cards[None, :], slots[:, None])
    apart = context.table.conflicts(cards[:, None], cards[None, :])
    placed = np.full(n, -1)
    steps = 0

    def deal() -> bool:
        nonlocal steps
        waiting = np.flatnonzero(placed < 0)
        if not len(waiting):
            return True
        slot = int(waiting[open_to[waiting].sum(axis=1).argmin()])
        mates = (samples == samples[slot]) & (placed < 0)
        for card in np.flatnonzero(open_to[slot]):
            steps += 1
            if steps > SEARCH_STEPS:
                return False
            saved = open_to.copy()
            placed[slot] = card
            open_to[:, card] = False
            open_to[mates] &= ~apart[card]
            if deal():
                return True
            placed[slot] = -1
            open_to[:] = saved
        return False

    if not deal():
        return False if steps > SEARCH_STEPS else None
    context.own[slots] = cards[placed]
    return True


def _infeasible(context: Context, slots: np.ndarray, cards: np.ndarray) -> InfeasiblePlan:
    """The error that names the samples, the type and some of the rules in the way."""
    context.own[slots] = cards
    clashing = slots[context.clash(context.own[slots], slots)]
    reasons = []
    for slot in clashing[:3]:
        card = int(context.own[slot])
        co_occurring = context.co_occurring(slot[None])[0]
        said = (context.table.reason(card, int(other)) for other in co_occurring if other >= 0)
        reasons += [text for text in said if text][:1]
    low, high = (int(slots[end]) // context.per_sample + context.first_sample for end in (0, -1))
    kind = context.type.value
    return InfeasiblePlan(
        f"samples {low} to {high}: the bank's {kind} entities ({len(slots)}) cannot be dealt out without breaking "
        f"a rule ({'; '.join(reasons)}). Ask for fewer in plan.per_report.{kind}, add {kind} entities to the bank, "
        "loosen plan.constraints, or take another seed"
    )
