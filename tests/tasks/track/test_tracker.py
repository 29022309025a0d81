"""Runs are nested, ended whatever happens, and hold what was logged."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from tasks.track.tracker import track


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_a_run_holds_parameters_curves_datasets_and_files(uri: str, tmp_path: Path) -> None:
    with track(uri, "experiment", "parent", artifacts=str(tmp_path / "files")) as run, run.nested("arm") as arm:
        arm.params({"pairs": 8})
        arm.curve("loss", [3.0, 2.0, 1.5])
        arm.dataset("phantom", "f" * 64, "s3://bucket/datasets/phantom/v1", "training")
        arm.blob(b"weights", "model/checkpoint.safetensors")
    client = MlflowClient(uri)
    stored = client.get_run(arm.id)
    assert stored.data.tags["mlflow.parentRunId"] == run.id
    assert stored.data.params["pairs"] == "8"
    assert [point.value for point in client.get_metric_history(arm.id, "loss")] == [3.0, 2.0, 1.5]
    assert stored.inputs.dataset_inputs[0].dataset.name == "phantom"
    assert list((tmp_path / "files").rglob("checkpoint.safetensors"))
    assert [f.path for f in client.list_artifacts(arm.id, "model")] == ["model/checkpoint.safetensors"]
    assert client.get_run(run.id).info.status == "FINISHED"


def test_an_error_ends_the_run_and_its_parent_as_failed(uri: str) -> None:
    with (
        pytest.raises(RuntimeError, match="boom"),
        track(uri, "experiment", "parent") as run,
        run.nested("arm") as arm,
    ):
        raise RuntimeError("boom")
    client = MlflowClient(uri)
    assert {client.get_run(one).info.status for one in (run.id, arm.id)} == {"FAILED"}


def test_an_experiment_whose_files_go_elsewhere_gets_a_sibling(uri: str, tmp_path: Path) -> None:
    with track(uri, "experiment", "one", artifacts=str(tmp_path / "a")) as first:
        first.text("x", "x.txt")
    with track(uri, "experiment", "two", artifacts=str(tmp_path / "b")) as second:
        second.text("x", "x.txt")
    assert first.experiment != second.experiment
    assert list((tmp_path / "b").rglob("x.txt"))
