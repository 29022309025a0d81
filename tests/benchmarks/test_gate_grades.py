"""The planted-error suite: what the text gates find, and how often they object to good reports."""

from __future__ import annotations

import pytest

from benchmarks import public_corpora as public
from benchmarks.gate_grades import ON_TEXT, GateAudit, audit_gates, undisputed
from benchmarks.planted_reports import ERRORS, paraphrase
from models import registry
from models.phantom.report import write_report
from tasks.plan.plan import make_plan
from tasks.recipe.schema import Recipe

THRESHOLDS = {"completeness": 1.0, "no_extra_finding": 1.0, "impression_consistency": 1.0, "repetition": 0.9,
              "leakage": 1.0, "lint": 1.0, "length": 1.0, "near_duplicate": 0.3}  # fmt: skip


@pytest.fixture(scope="module", params=["exact", "normalised", "soft"])
def audit(request: pytest.FixtureRequest) -> GateAudit:
    options = {"completeness": {"mode": request.param}, "no_extra_finding": {"vocabulary": "chest"}}
    gates = [(registry.build(registry.GATES, n, options.get(n, {})), limit) for n, limit in THRESHOLDS.items()]
    plan = make_plan(Recipe(pairs=96, report_gates=(), image_gates=()), "f" * 64)
    asked = [spec.mentions for spec in plan.samples(0, 96)]
    return audit_gates(gates, asked, write_report if request.param == "exact" else paraphrase)


def test_at_least_twelve_kinds_are_planted_in_nearly_every_report_that_has_room(audit: GateAudit) -> None:
    assert len(ERRORS) >= 12
    assert all(row.planted >= audit.reports * 0.3 for row in audit.finds)


def test_every_kind_is_found(audit: GateAudit) -> None:
    missed = {row.kind: row.recall for row in audit.finds if row.recall < 0.9}
    assert missed == {}


def test_omitted_added_side_and_polarity_are_found_nineteen_times_in_twenty(audit: GateAudit) -> None:
    told = ("omitted", "added", "side", "denied", "absent stated", "contradicts")
    rows = [row for row in audit.finds if any(word in row.kind for word in told)]
    assert len(rows) == 10
    assert {row.kind: row.recall for row in rows if row.recall < 0.95} == {}


def test_no_gate_objects_to_more_than_one_good_report_in_twenty(audit: GateAudit) -> None:
    assert set(audit.false_alarms) == set(THRESHOLDS)
    assert {name: share for name, share in audit.false_alarms.items() if share > 0.05} == {}


def test_no_gate_on_the_text_objects_to_more_than_one_real_report_in_twenty() -> None:
    try:
        real = undisputed(public.openi())
    except public.CorpusNotFound as error:
        pytest.skip(str(error))
    assert len(real) > 1500
    for name in ON_TEXT:
        rejected = [score for score in registry.build(registry.GATES, name, {}).score(real)
                    if not score.score >= THRESHOLDS[name]]  # fmt: skip
        assert len(rejected) <= 0.05 * len(real), (name, rejected[:3])
