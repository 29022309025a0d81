"""Scores become decisions against thresholds, and NaN never passes."""

from __future__ import annotations

import pytest

from models.contracts import Candidate, EntityType, GateScore, Mention
from storage.records import GateRow
from tasks.generate.decide import allows, decide, open_gates
from tasks.recipe.schema import GateSpec

SARCOIDOSIS = Mention("disease/sarcoidosis", EntityType.DISEASE, "sarcoidosis")
EFFUSION = Mention("abnormality/pleural effusion", EntityType.ABNORMALITY, "pleural effusion", "pleural effusion")
TEXT = "There is sarcoidosis. There is pleural effusion."


def test_reaching_the_threshold_passes_and_the_first_failure_is_returned() -> None:
    scores = [GateScore("a", 0.5, "fine", "m1"), GateScore("b", 0.4, "weak"), GateScore("c", 0.1)]
    rows, failed = decide(scores, {"a": 0.5, "b": 0.5, "c": 0.5})
    assert [row.passed for row in rows] == [True, False, False]
    assert failed is rows[1]
    assert (rows[0].reason, rows[0].model, rows[0].threshold) == ("fine", "m1", 0.5)


def test_another_threshold_re_decides_the_same_scores() -> None:
    scores = [GateScore("a", 0.5)]
    assert decide(scores, {"a": 0.6})[1] is not None
    assert decide(scores, {"a": 0.4})[1] is None


@pytest.mark.parametrize("threshold", [0.0, -1e9, float("-inf"), float("nan")])
def test_nan_never_passes(threshold: float) -> None:
    rows, failed = decide([GateScore("a", float("nan"))], {"a": threshold})
    assert failed is rows[0]


def test_a_gate_without_threshold_is_an_error_and_no_gate_is_no_failure() -> None:
    with pytest.raises(KeyError, match="a"):
        decide([GateScore("a", 1.0)], {})
    assert decide([], {}) == ([], None)


def judged(*allowed: str) -> GateRow:
    """What `no_extra_finding` says of a report with an entity that it does not know."""
    ((gate, threshold),) = open_gates([GateSpec(kind="no_extra_finding", threshold=1.0, allow_unjudged=allowed)])
    scores = gate.score([Candidate("s", (SARCOIDOSIS, EFFUSION), TEXT, TEXT)])
    return decide(scores, {gate.name: threshold})[0][0]


def test_an_entity_that_may_pass_unjudged_is_counted_and_named_beside_the_score() -> None:
    row = judged("sarcoidosis")
    assert (row.passed, row.score, row.not_judged) == (True, 1.0, 1)
    assert row.reason == "not judged: disease/sarcoidosis"


def test_an_entity_that_the_recipe_does_not_name_fails() -> None:
    row = judged("tuberculosis")
    assert (row.passed, row.not_judged) == (False, None)
    assert row.reason == "not judged, nor allowed to be: disease/sarcoidosis"


def test_where_nothing_could_be_judged_there_is_no_score_and_the_sample_passes() -> None:
    ((row,), failed) = decide([GateScore("agreement", float("nan"), "knows none", not_judged=2)], {"agreement": 0.5})
    assert (row.passed, row.score, row.not_judged, failed) == (True, None, 2, None)
    (_, failed) = decide([GateScore("agreement", float("nan"), "no film", not_judged=0)], {"agreement": 0.5})
    assert failed is not None


def test_a_gate_that_may_pass_nothing_writes_rows_as_before() -> None:
    assert "not_judged" not in judged().model_dump(mode="json")
    assert judged("*").model_dump(mode="json")["not_judged"] == 1


@pytest.mark.parametrize(
    ("allowed", "entity", "yes"),
    [
        ("*", "disease/x", True),
        ("Sarcoidosis", "disease/sarcoidosis", True),
        ("disease/*", "disease/sarcoidosis", True),
        ("disease", "disease/sarcoidosis", False),
        ("sarcoid", "disease/sarcoidosis", False),
        ("no name", "no name", True),
    ],
)
def test_names_are_ids_or_terms(allowed: str, entity: str, yes: bool) -> None:
    assert allows([allowed], entity) is yes
