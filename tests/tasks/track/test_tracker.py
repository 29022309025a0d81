"""Runs are nested, ended whatever happens, hold what was logged, and never cost the work its life."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.dbmodels.models import SqlDataset
from sqlalchemy import event

from storage.s3 import S3Store
from storage.s3_session import Connection
from storage.server import StoreAddress
from tasks.track.errors import TrackingError
from tasks.track.tracker import track

SECRET = "http://me:CANARY@host/path"


def test_a_run_holds_parameters_curves_datasets_and_files(uri: str, tmp_path: Path) -> None:
    with track(uri, "experiment", "parent", artifacts=str(tmp_path / "files")) as run, run.nested("arm") as arm:
        arm.params({"pairs": 8})
        arm.points("loss", [(1, 3.0), (2, 2.0), (4, 1.5)])
        arm.dataset("phantom", "f" * 64, "s3://bucket/datasets/phantom/v1", "training")
        arm.blob(b"weights", "model/checkpoint.safetensors")
    client = MlflowClient(uri)
    stored = client.get_run(arm.id)
    assert stored.data.tags["mlflow.parentRunId"] == run.id
    assert stored.data.params["pairs"] == "8"
    points = [(point.step, point.value) for point in client.get_metric_history(arm.id, "loss")]
    assert points == [(1, 3.0), (2, 2.0), (4, 1.5)]
    assert (arm.steps("loss"), arm.steps("other")) == ({1, 2, 4}, set())
    assert stored.inputs is not None
    assert stored.inputs.dataset_inputs[0].dataset.name == "phantom"
    assert list((tmp_path / "files").rglob("checkpoint.safetensors"))
    assert [f.path for f in client.list_artifacts(arm.id, "model")] == ["model/checkpoint.safetensors"]
    assert client.get_run(run.id).info.status == "FINISHED"


def test_a_dataset_that_another_run_records_at_the_same_moment_is_an_input_of_both(
    uri: str, tmp_path: Path, said: list[str]
) -> None:
    def rival(*_: object) -> None:
        with track(uri, "experiment", "other", artifacts=str(tmp_path / "files")) as other:
            other.dataset("phantom", "f" * 64, "s3://bucket/phantom", "training")

    with track(uri, "experiment", "one", artifacts=str(tmp_path / "files"), say=said.append) as run:
        event.listen(SqlDataset, "before_insert", rival, once=True)  # it was looked for, and not found
        run.dataset("phantom", "f" * 64, "s3://bucket/phantom", "training")
        assert run.losses.count == 0
    assert said == []
    runs = MlflowClient(uri).search_runs([run.experiment])
    names = [[entry.dataset.name for entry in one.inputs.dataset_inputs] for one in runs if one.inputs]
    assert names == [["phantom"], ["phantom"]]


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("boom"), "FAILED"), (KeyboardInterrupt("boom"), "KILLED")]
)
def test_an_error_ends_the_run_and_its_parent(uri: str, error: BaseException, status: str) -> None:
    with pytest.raises(type(error), match="boom"), track(uri, "experiment", "parent") as run, run.nested("arm") as arm:
        raise error
    client = MlflowClient(uri)
    assert {client.get_run(one).info.status for one in (run.id, arm.id)} == {status}


def test_an_experiment_whose_files_go_elsewhere_gets_a_sibling(uri: str, tmp_path: Path) -> None:
    with track(uri, "experiment", "one", artifacts=str(tmp_path / "a")) as first:
        first.text("x", "x.txt")
    with track(uri, "experiment", "two", artifacts=str(tmp_path / "b")) as second:
        second.text("x", "x.txt")
    assert first.experiment != second.experiment
    assert list((tmp_path / "b").rglob("x.txt"))


def test_no_password_of_an_address_is_stored(uri: str, tmp_path: Path) -> None:
    with track(uri, "experiment", SECRET, artifacts=str(tmp_path / "files")) as run, run.nested(SECRET) as arm:
        arm.params({"uri": SECRET})
        arm.tags({"place": SECRET, "mlflow.note.content": SECRET})
        arm.dataset("d", "f" * 64, SECRET, "training")
        arm.text(f"uri: {SECRET}", "recipe.yaml")
    assert MlflowClient(uri).get_run(arm.id).data.params["uri"] == "http://***@host/path"
    holding = [path for path in tmp_path.rglob("*") if path.is_file() and b"CANARY" in path.read_bytes()]
    assert holding == []


def test_odd_names_long_values_and_numbers_that_are_none_are_kept(uri: str, tmp_path: Path, said: list[str]) -> None:
    many = {f"option {number} %": "x" * 9000 for number in range(130)}
    with track(uri, "exp % 🩻\x07: /..", "run\n\x1b[31m %", artifacts=str(tmp_path), say=said.append) as run:
        run.params(many | {"": "empty", "../up": "\x00\ud800"})
        run.metrics({"auroc.50%": 0.5, "nan": math.nan, "inf": math.inf, "minus": -math.inf})
        run.points("loss 🩻", [(0, math.nan), (1, 1.0)])
        run.tags({"mlflow.note.content": "y" * 20_000, "tag\n%": "z"})
    assert said == []
    assert run.losses.count == 0
    stored = MlflowClient(uri).get_run(run.id)
    assert len(stored.data.params) == 132
    assert stored.data.params["option 7 _x25_"].startswith("xxx")
    assert stored.data.metrics["auroc.50_x25_"] == 0.5
    assert math.isnan(stored.data.metrics["nan"])
    assert stored.data.tags["mlflow.note.content"].endswith("…")
    assert "\x1b" not in str(stored.info.run_name)


def test_a_deleted_experiment_is_told_with_the_remedy(uri: str) -> None:
    client = MlflowClient(uri)
    number = client.create_experiment("gone")
    client.delete_experiment(number)
    with (
        pytest.raises(
            TrackingError, match=rf"'gone' was deleted: restore it .*--experiment-id {number}.*experiment to"
        ),
        track(uri, "gone", "run"),
    ):
        pass


def test_what_fails_in_mid_run_is_told_once_and_the_work_goes_on(
    uri: str, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("the disk went away")

    work = []
    with track(uri, "experiment", "run", artifacts=str(tmp_path / "files"), say=said.append) as run:
        monkeypatch.setattr(MlflowClient, "log_batch", refuse)
        monkeypatch.setattr(MlflowClient, "create_run", refuse)
        run.params({"a": 1})
        with run.nested("arm") as arm:
            arm.metrics({"m": 1.0})
            arm.blob(b"x", "x.bin")
            work.append("done")
    assert work == ["done"]
    assert len(said) == 2
    assert "the disk went away" in said[0]
    assert "incomplete" in said[1]
    assert "4 records" in said[1]
    assert MlflowClient(uri).get_run(run.id).info.status == "FINISHED"


def test_an_error_of_the_work_is_not_taken_for_one_of_mlflow(
    uri: str, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("gone")

    monkeypatch.setattr(MlflowClient, "set_terminated", refuse)
    with pytest.raises(ValueError, match="of the work"), track(uri, "experiment", "run", say=said.append):
        raise ValueError("of the work")
    assert "gone" in said[0]


def test_the_environment_is_left_as_it_was(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    before = dict(os.environ)
    with track(uri, "experiment", "run"):
        assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
        assert int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) <= 3
    assert dict(os.environ) == before


@pytest.fixture
def another_company(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A shell that is set up for Amazon, where every request to it, and to any other host, is written down."""
    import botocore.httpsession

    asked: list[str] = []
    send = botocore.httpsession.URLLib3Session.send

    def watched(self: object, request: object) -> object:
        url = str(getattr(request, "url", ""))
        if not url.startswith("http://127.0.0.1:"):
            asked.append(url)
            raise ConnectionError(url)
        return send(self, request)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", watched)
    for name in ("MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    return asked


@pytest.mark.server
def test_files_go_to_the_stores_own_endpoint_with_its_own_keys(
    uri: str, managed: StoreAddress, another_company: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "theirs")
    store = managed.store("tracked")
    artifacts = store.uri("mlflow")
    with track(uri, "experiment", "run", artifacts=artifacts, store=store, say=said.append) as run:
        run.text("kept", "recipe.yaml")
        with run.nested("arm") as arm:
            arm.blob(b"weights", "model/checkpoint.safetensors")
    assert said == []
    assert another_company == []
    assert store.get(f"mlflow/{run.id}/artifacts/recipe.yaml") == b"kept"
    assert store.get(f"mlflow/{arm.id}/artifacts/model/checkpoint.safetensors") == b"weights"


@pytest.mark.server
def test_a_bucket_at_an_endpoint_of_the_recipe_is_found_there_by_keys_of_the_shell(
    uri: str, managed: StoreAddress, another_company: list[str], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.open import open_store

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", managed.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", managed.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    store = open_store(f"s3://{managed.bucket}/of/us", endpoint=managed.endpoint)
    elsewhere = f"s3://{managed.bucket}/of/mlflow"  # as a tracking server may have it
    for artifacts in (store.uri("mlflow"), elsewhere):
        with track(uri, "experiment", "run", artifacts=artifacts, store=store, say=said.append) as run:
            run.text("kept", "recipe.yaml")
        key = f"{artifacts}/{run.id}/artifacts/recipe.yaml".removeprefix(f"s3://{managed.bucket}/")
        assert managed.store().get(key) == b"kept"
    assert said == []
    assert another_company == []


@pytest.mark.server
def test_a_bucket_of_another_server_is_left_to_mlflow(
    uri: str, managed: StoreAddress, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", managed.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", managed.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", managed.secret_key)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)

    ours = S3Store("films", connection=Connection("http://127.0.0.1:9", None, "a", "b"))
    artifacts = f"s3://{managed.bucket}/theirs"
    with track(uri, "experiment", "run", artifacts=artifacts, store=ours, say=said.append) as run:
        run.text(json.dumps({"kept": True}), "x.json")
    assert said == []
    assert managed.store().get(f"theirs/{run.id}/artifacts/x.json") == b'{"kept": true}'
