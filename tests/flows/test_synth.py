"""`synth` runs the stages one after the other below one MLflow run, and makes nothing twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.publish.summary import Summary
from tasks.recipe.errors import RecipeError
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = pytest.mark.server


def test_the_stages_join_one_run_and_a_finished_factory_makes_nothing(
    factory_after: Callable[[str], SmallFactory],
) -> None:
    factory = factory_after("evaluate")
    before, known = factory.objects(), {run.info.run_id for run in factory.runs()}
    summary = Summary.model_validate(run_flow("synth", factory.parameters()))
    assert (summary.asked, summary.accepted) == (8, 8)
    assert {"real", "synthetic"} <= {arm.name for arm in summary.arms}
    assert factory.objects() == before
    parent, *nested = [run for run in factory.runs() if run.info.run_id not in known]
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} == {parent.info.run_id}
    assert {run.info.run_name for run in nested} >= {"curate", "pretrain", "evaluate"}
    assert "# fast-cxr/" in parent.data.tags["mlflow.note.content"]
    assert "(incomplete)" not in summary.places["MLflow run"]


def test_mistakes_of_every_stage_are_told_before_the_first_begins(factory: SmallFactory, prefect_server: str) -> None:
    assert prefect_server
    with pytest.raises(RecipeError) as raised:
        run_flow("synth", factory.parameters("images.batch=0", "curate.thresholds.beauty=1", "evaluate.bootstrap=-1"))
    told = " ".join(raised.value.problems)
    assert all(field in told for field in ("images.batch", "curate.thresholds.beauty", "evaluate.bootstrap"))
    assert factory.objects() == {}
    assert factory.runs() == []
