"""The sampler: balanced at every slot, plausible in every sample, any sample at any time."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from models.contracts import Entity, EntityType
from models.phantom.bank import entity_bank
from tasks.plan.deck.deck import spread_permutations
from tasks.plan.deck.sampler import ORDER, BalancedSampler
from tasks.plan.errors import InfeasiblePlan
from tasks.plan.rules.constraints import ConflictTable, Exclusion, RuleSet, concept_of, rule_set

SAMPLES = 120
FINDINGS = [f"finding {letter}" for letter in "abcdefghij"]


Weights = dict[EntityType, list[int]]


@st.composite
def samplers(draw: st.DrawFn, weighted: bool | None = None) -> BalancedSampler:
    """Small banks with clashes across types (shared concepts) and inside them (exclusions), even or with weights."""
    entities: list[Entity] = []
    per_report: dict[EntityType, int] = {}
    weights: Weights = {}
    weighted = draw(st.booleans()) if weighted is None else weighted
    for kind in draw(st.lists(st.sampled_from(ORDER), min_size=1, max_size=4, unique=True)):
        per_report[kind] = draw(st.integers(1, 3))
        size = draw(st.integers(per_report[kind] * 4, 16))
        if weighted:
            weights[kind] = draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
            assume(max(weights[kind]) * per_report[kind] <= sum(weights[kind]))
            assume(sum(weight > 0 for weight in weights[kind]) >= per_report[kind])
        for number in range(size):
            concept = draw(st.sampled_from([*FINDINGS, f"{kind.value} {number}", f"{kind.value} {number}"]))
            present = draw(st.booleans())
            entities.append(Entity(f"{kind.value}/{number}", kind, f"{number}", concept, present, (), (), ()))
    pairs = draw(st.lists(st.sampled_from(list(combinations(FINDINGS, 2))), max_size=3, unique=True))
    rules = RuleSet(concept_of, tuple(Exclusion(a, b, "test") for a, b in pairs))
    fingerprint = draw(st.text(min_size=1, max_size=8))
    return sampler_of(entities, per_report, rules, fingerprint, weights=weights)


def sampler_of(
    entities: list[Entity],
    per_report: dict[EntityType, int],
    rules: RuleSet,
    fingerprint: str,
    block: int = 32,
    weights: Weights | None = None,
) -> BalancedSampler:
    pools = {kind: [n for n, e in enumerate(entities) if e.type is kind] for kind in EntityType}
    return BalancedSampler(pools, per_report, ConflictTable(entities, rules), fingerprint, block, weights)


def phantom(fingerprint: str = "f", **per_report: int) -> BalancedSampler:
    wanted = per_report or dict.fromkeys((kind.value for kind in EntityType), 1)
    asked = {EntityType(kind): number for kind, number in wanted.items()}
    return sampler_of(list(entity_bank()), asked, rule_set("phantom"), fingerprint, block=4096)


def drawn(sampler: BalancedSampler, start: int, stop: int) -> np.ndarray:
    """Draw, leaving out banks that hypothesis made too full of clashes."""
    try:
        return sampler.draw(start, stop)
    except InfeasiblePlan:
        assume(False)
        raise


quick = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@quick
@given(samplers())
def test_counts_are_the_weights_at_every_multiple_of_the_deck(sampler: BalancedSampler) -> None:
    rows = drawn(sampler, 0, SAMPLES)
    for deck, columns in zip(sampler.decks, sampler.columns().values(), strict=True):
        slots, n = rows[:, columns].ravel(), len(deck.cards)
        entities = deck.cards[np.cumsum(deck.weights) - 1]
        for end in range(0, len(slots) + 1, n):
            counts = np.bincount(slots[:end], minlength=entities.max() + 1)[entities]
            assert (counts == deck.weights * (end // n)).all()
        counts = np.bincount(slots, minlength=entities.max() + 1)[entities]
        assert counts.sum() == len(slots), "an entity of weight 0 is never dealt"
        excess = counts - deck.weights * (len(slots) // n)
        assert ((excess >= 0) & (excess <= deck.weights)).all(), "and within one pass of it at any end"


@quick
@given(samplers(weighted=False))
def test_even_counts_differ_by_at_most_one_at_every_slot(sampler: BalancedSampler) -> None:
    rows = drawn(sampler, 0, SAMPLES)
    for deck, columns in zip(sampler.decks, sampler.columns().values(), strict=True):
        counts = np.bincount(rows[:, columns].ravel(), minlength=deck.cards.max() + 1)[deck.cards]
        assert counts.max() - counts.min() <= 1


@quick
@given(samplers())
def test_no_sample_breaks_a_rule(sampler: BalancedSampler) -> None:
    for row in drawn(sampler, 0, SAMPLES).tolist():
        for a, b in combinations(row, 2):
            assert sampler.table.reason(a, b) is None


@quick
@given(samplers(), st.data())
def test_random_access_gives_what_dealing_in_order_gives(sampler: BalancedSampler, data: st.DataObject) -> None:
    rows = drawn(sampler, 0, SAMPLES)
    start = data.draw(st.integers(0, SAMPLES - 1))
    stop = data.draw(st.integers(start + 1, SAMPLES))
    assert (sampler.settle(start, stop) == rows[start:stop]).all(), "straight from the passes"
    assert (sampler.draw(start, stop) == rows[start:stop]).all(), "through the cache"


@quick
@given(st.lists(st.integers(1, 9), min_size=2, max_size=30), st.integers(0, 1000))
def test_copies_are_spread_over_a_pass(weights: list[int], number: int) -> None:
    deck = spread_permutations(7, np.array([number]), np.array(weights))[0]
    owner = np.repeat(np.arange(len(weights)), weights)[deck]
    for item, weight in enumerate(weights):
        at = np.flatnonzero(owner == item)
        # A copy in the part [j/w, (j+1)/w) of a pass has between j and j+1 copies of every w-fold card before it.
        before = np.array([[(owner[:slot] == other).sum() for other in range(len(weights))] for slot in at])
        part = np.arange(weight)[:, None] * np.array(weights) / weight
        assert (before >= np.floor(part) - 1e-9).all()
        assert (before <= np.ceil(part + np.array(weights) / weight) + 1e-9).all()


def test_weights_of_one_deal_what_no_weights_deal() -> None:
    even = {kind: [3] * sum(entity.type is kind for entity in entity_bank()) for kind in EntityType}
    asked = dict.fromkeys(EntityType, 1)
    weighted = sampler_of(list(entity_bank()), asked, rule_set("phantom"), "f", 4096, even)
    assert (weighted.draw(0, 5000) == phantom().draw(0, 5000)).all()


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([5, 1, 1, 1], "disease 'a' has 5 of 8 cards, and with 2 a sample it would have to stand twice in one"),
        ([1, 0, 0, 0], "2 disease entities a sample, but only 1 are dealt"),
        ([0, 0, 0, 0], "2 disease entities a sample, but only 0 are dealt"),
    ],
)
def test_weights_that_no_sample_can_follow(weights: list[int], message: str) -> None:
    entities = [Entity(f"disease/{name}", EntityType.DISEASE, name) for name in "abcd"]
    with pytest.raises(InfeasiblePlan, match=message):
        sampler_of(entities, {EntityType.DISEASE: 2}, rule_set("none"), "f", weights={EntityType.DISEASE: weights})


@pytest.mark.parametrize("weights", [[1, 2, 3], [1, 2, 3, -1]])
def test_weights_must_be_one_for_each_entity_and_not_negative(weights: list[int]) -> None:
    entities = [Entity(f"disease/{name}", EntityType.DISEASE, name) for name in "abcd"]
    with pytest.raises(ValueError, match="a pool of 4 needs as many weights, none below 0"):
        sampler_of(entities, {EntityType.DISEASE: 1}, rule_set("none"), "f", weights={EntityType.DISEASE: weights})


def test_order_of_access_does_not_matter() -> None:
    forward, shuffled = phantom(), phantom()
    order = np.random.default_rng(3).permutation(200) * 401
    got = {int(i): shuffled.draw(int(i), int(i) + 1)[0].tolist() for i in order}
    assert [got[i] for i in sorted(got)] == [forward.draw(i, i + 1)[0].tolist() for i in sorted(got)]


def test_fingerprints_deal_different_samples() -> None:
    assert (phantom("a").draw(0, 100) != phantom("b").draw(0, 100)).mean() > 0.5


@pytest.mark.parametrize(
    "per_report",
    [
        {"abnormality": 1, "disease": 1, "non_abnormality": 1, "non_disease": 1, "anatomy": 1},
        {"abnormality": 2, "disease": 1, "non_abnormality": 3, "non_disease": 2, "anatomy": 2},
        # Settled disease first, four samples in a row may all be closed to an hemidiaphragm elevation.
        {"abnormality": 2, "disease": 2, "non_abnormality": 2, "non_disease": 1, "anatomy": 1},
        {"abnormality": 1},
        {"abnormality": 1, "non_abnormality": 2, "anatomy": 1},
    ],
)
def test_the_phantom_bank_deals_out_100000_samples(per_report: dict[str, int]) -> None:
    sampler = phantom(**per_report)  # pyright: ignore[reportArgumentType]
    rows = sampler.draw(0, 100_000)
    for a, b in combinations(range(sampler.width), 2):
        assert not sampler.table.conflicts(rows[:, a], rows[:, b]).any()
    for deck, columns in zip(sampler.decks, sampler.columns().values(), strict=True):
        counts = np.bincount(rows[:, columns].ravel())[deck.cards]
        assert counts.max() - counts.min() <= 1


def test_the_share_of_moved_cards_is_told() -> None:
    count = phantom().count_repairs(10_000)
    assert count.dealt[EntityType.DISEASE] == 10_000
    assert count.moved[EntityType.ANATOMY] == 0, "a place clashes with nothing"
    assert 0.05 < sum(count.moved.values()) / sum(count.dealt.values()) < 0.2


def test_a_swap_that_needs_three_cards_is_found_by_search() -> None:
    # Slots 0, 1, 2 hold x, y, z; every two-card swap clashes, and only the rotation fits.
    kinds = EntityType.DISEASE, EntityType.ABNORMALITY
    entities = [Entity(f"{kind}/{name}", kind, name, name, True, (), (), ()) for kind in kinds for name in "xyz"]
    pairs = [("x", "y"), ("y", "z"), ("x", "z")]
    for seed in range(20):
        for exclusion in pairs:
            rules = RuleSet(concept_of, (Exclusion(*exclusion, "test"),))
            sampler = sampler_of(entities, dict.fromkeys(kinds, 1), rules, str(seed))
            for row in _or_infeasible(sampler):
                assert sampler.table.reason(*row) is None


def _or_infeasible(sampler: BalancedSampler) -> list[list[int]]:
    try:
        return sampler.draw(0, 3).tolist()
    except InfeasiblePlan:
        return []


def test_an_impossible_pair_of_pools_is_named_with_rule_and_remedy() -> None:
    kinds = EntityType.DISEASE, EntityType.NON_DISEASE
    entities = [
        Entity("disease/mumps", kinds[0], "mumps", "mumps", True, (), (), ()),
        Entity("non_disease/no mumps", kinds[1], "no mumps", "mumps", False, (), (), ()),
    ]
    sampler = sampler_of(entities, dict.fromkeys(kinds, 1), rule_set("generic"), "f")
    with pytest.raises(InfeasiblePlan) as caught:
        sampler.draw(0, 1)
    message = str(caught.value)
    assert message.startswith(
        "samples 0 to 0: the bank's disease entities (1) cannot be dealt out without breaking a rule"
    )
    assert "'mumps' and 'no mumps' contradict each other about 'mumps'" in message
    assert "plan.per_report.disease" in message


def test_a_large_bank_is_dealt_in_seconds_and_stays_plausible() -> None:
    names = [f"thing {number}" for number in range(15_000)]
    kinds = EntityType.ABNORMALITY, EntityType.NON_ABNORMALITY
    entities = [Entity(f"{k}/{name}", k, name, name, k is kinds[0], (), (), ()) for k in kinds for name in names]
    sampler = sampler_of(entities, dict.fromkeys(kinds, 4), rule_set("generic"), "f")
    rows = sampler.draw(0, 20_000)
    for a, b in combinations(range(8), 2):
        assert not sampler.table.conflicts(rows[:, a], rows[:, b]).any()
