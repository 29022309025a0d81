"""Selections keep what passes and is not one copy too many, and say why the rest is dropped."""

import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.records import GateRow, PairRow
from tasks.curate.select import Selection
from tasks.curate.select import curate as decide
from tasks.recipe.curation import Rules
from tests.counts import scaled
from tests.tasks.curate.tables import table_of


def curate(rows: list[PairRow], rules: Rules | None = None) -> Selection:
    """Rows to a selection, through the same table that the store gives."""
    return decide(table_of(rows), rules)


def pair(at: int, image: str = "", report: str = "", score: float = 1.0, threshold: float = 0.5) -> PairRow:
    """A row with one gate."""
    return PairRow(
        sample_id=f"s{at}", index=at, findings=report or f"report {at}", impression="x", entities=[], mentions=[],
        labels={}, report_seed=0, report_attempts=1, report_tokens=1, image_seed=0, image_attempts=1,
        png_sha256=image or f"hash{at}",
        gates=[GateRow(gate="agreement", score=score, threshold=threshold, passed=score >= threshold)],
    )  # fmt: skip


ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "ONE ", "two"]), st.floats(0, 1)), max_size=30
).map(lambda rows: [pair(at, *row) for at, row in enumerate(rows)])


@given(rows=ROWS, same_image=st.integers(1, 3), same_report=st.integers(1, 5), threshold=st.floats(0, 1))
def test_caps_and_thresholds_hold_and_every_pair_has_a_verdict(rows, same_image, same_report, threshold):
    rules = Rules(same_image=same_image, same_report=same_report, thresholds={"agreement": threshold} if rows else {})
    selection = curate(rows, rules)
    kept = [row for row in rows if row.sample_id in set(selection.kept)]
    assert [choice.sample_id for choice in selection.choices] == [row.sample_id for row in rows]
    assert all(bool(choice.reason) != choice.kept for choice in selection.choices)
    assert all(row.gates[0].score >= threshold for row in kept)
    assert max(Counter(row.png_sha256 for row in kept).values(), default=0) <= same_image
    assert max(Counter(row.findings.strip().lower() for row in kept).values(), default=0) <= same_report
    assert curate(kept, rules.model_copy(update={"thresholds": {}, "gates": False})).kept == selection.kept


@given(rows=ROWS)
@settings(max_examples=scaled(15))
def test_a_stricter_threshold_never_admits_a_pair_that_the_gates_refused(rows):
    free = Rules(same_image=100, same_report=100)
    loose = set(curate(rows, free).kept)
    strict = free.model_copy(update={"thresholds": {"agreement": 0.8}}) if rows else free
    assert set(curate(rows, strict).kept) <= loose


def test_the_first_copy_stays():
    selection = curate([pair(0, "same"), pair(1, "same"), pair(2)])
    assert selection.kept == ["s0", "s2"]
    assert selection.reasons == {"same image": 1}


def test_a_refused_pair_does_not_take_the_place_of_its_copy():
    assert curate([pair(0, "same", score=0.1), pair(1, "same")]).kept == ["s1"]


def test_thresholds_decide_anew_from_stored_scores():
    rows = [pair(0, score=0.6), pair(1, score=0.3)]
    assert curate(rows).kept == ["s0"]
    assert curate(rows, Rules(thresholds={"agreement": 0.2})).kept == ["s0", "s1"]
    assert curate(rows, Rules(gates=False)).kept == ["s0", "s1"]


def test_a_score_that_is_not_a_number_is_refused():
    assert curate([pair(0, score=math.nan)]).kept == []


def test_an_unknown_gate_is_named():
    with pytest.raises(ValueError, match="'agrement'"):
        curate([pair(0)], Rules(thresholds={"agrement": 0.2}))


def test_repeated_ids_are_refused():
    with pytest.raises(ValueError, match="'s0'"):
        curate([pair(0), pair(0)])


def test_nothing_to_choose_from_is_an_empty_selection():
    assert curate([]).kept == []
