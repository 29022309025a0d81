"""A training is recorded while it runs; one that goes on fills the same run, and doubles no point."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.track.curves import EVERY, LiveCurve, system_metrics
from tasks.track.tracker import TrackedRun, track


class PowerCut(Exception):
    """Ends a training."""


@pytest.fixture
def run(uri: str, tmp_path: Path) -> Iterator[TrackedRun]:
    with track(uri, "experiment", "parent", artifacts=str(tmp_path / "files")) as run:
        yield run


def points(run: TrackedRun, name: str = "loss") -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in run.client.get_metric_history(run.id, name)]


def test_points_are_recorded_together_every_ten_seconds_and_at_the_end(run: TrackedRun) -> None:
    now = 0.0
    curve = LiveCurve(run, "loss", clock=lambda: now)
    curve.add(1, 3.0)
    assert points(run) == []
    now = EVERY
    curve.add(2, 2.0)
    assert points(run) == [(1, 3.0), (2, 2.0)]
    curve.add(3, 1.0)
    curve.send()
    curve.send()
    assert points(run) == [(1, 3.0), (2, 2.0), (3, 1.0)]


def test_a_run_that_goes_on_fills_its_curve_without_doubled_points(uri: str, run: TrackedRun) -> None:
    with suppress(PowerCut), run.continued("arm", "f" * 64) as first:
        curve = LiveCurve(first, "loss")
        for step in (1, 2, 3):
            curve.add(step, 1 / step)
        curve.send()
        raise PowerCut
    assert MlflowClient(uri).get_run(first.id).info.status == "FAILED"
    with track(uri, "experiment", "another flow run") as other, other.continued("arm", "f" * 64) as again:
        assert again.id == first.id
        assert MlflowClient(uri).get_run(first.id).info.status == "RUNNING"
        curve = LiveCurve(again, "loss")
        for step in (2, 3, 4, 6):  # the last state was of step 1
            curve.add(step, 1 / step)
        curve.fill([1 / step for step in range(1, 7)])
    assert sorted(points(first)) == [(step, 1 / step) for step in range(1, 7)]
    assert MlflowClient(uri).get_run(first.id).info.status == "FINISHED"


def test_a_finished_run_and_one_of_another_mark_are_not_taken_up(run: TrackedRun) -> None:
    with run.continued("arm", "a" * 64) as finished:
        pass
    with suppress(PowerCut), run.continued("arm", "b" * 64) as other:
        raise PowerCut
    with run.continued("arm", "a" * 64) as third:
        assert third.id not in (finished.id, other.id)
        assert run.client.get_run(third.id).data.tags["mlflow.parentRunId"] == run.id


def test_what_the_machine_does_is_recorded_while_the_block_runs(
    run: TrackedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.05")
    with run.nested("arm") as arm:
        until = time.monotonic() + 60
        with system_metrics(arm):
            while "system/cpu_utilization_percentage" not in arm.client.get_run(arm.id).data.metrics:
                assert time.monotonic() < until, "nothing was recorded"
                time.sleep(0.05)
    assert points(arm, "system/system_memory_usage_megabytes")


def test_a_run_that_mlflow_could_not_begin_is_no_hindrance(run: TrackedRun) -> None:
    lost = TrackedRun(run.client, run.experiment, "", run.losses)
    curve = LiveCurve(lost, "loss")
    with system_metrics(lost):
        curve.add(1, 1.0)
        curve.send()
    assert run.losses.count > 0
