"""An open run: its tracking is there whole, and nothing of the shell's secrets is written anywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flows.context import managed_tracking, open_run
from tests.tasks.track.databases import half_made

CANARY = "http://me:CANARY@127.0.0.1:9"
PROFILE = str(Path(__file__).parents[1] / "profiles" / "fast.yaml")


@pytest.fixture(scope="module")
def tracked_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a whole database of MLflow's."""
    home = tmp_path_factory.mktemp("home")
    managed_tracking(home, print)
    return home


def test_the_managed_database_is_whole_before_mlflow_opens_it(tracked_home: Path, tmp_path: Path) -> None:
    said: list[str] = []
    shutil.copy(tracked_home / "mlflow.db", tmp_path / "mlflow.db")
    assert managed_tracking(tmp_path, said.append) == f"sqlite:///{tmp_path}/mlflow.db"
    assert said == []
    half_made(tmp_path / "mlflow.db")
    managed_tracking(tmp_path, said.append)
    assert len(said) == 1
    assert "kept as mlflow.db.broken-" in said[0]


def test_a_run_writes_no_secret_of_the_shell(
    tracked_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tracked_home, tmp_path / "home")
    monkeypatch.setenv("SYNTHCXR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "home" / "prefect"))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, CANARY)
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MLFLOW_TRACKING_PASSWORD", "NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "CANARY")
    before = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "MLFLOW_"))}
    changes = [f"storage.root={tmp_path / 'store'}", "tracking.experiment=odd % name"]
    with open_run("generate", PROFILE, 8, None, None, None, None, changes) as run:
        run.store.put("kept", b"data")
        assert run.tracked.losses.count == 0
    assert {name: os.environ.get(name) for name in before} == before
    shown = capfd.readouterr()
    assert "CANARY" not in shown.out + shown.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "recipe.yaml" for path in written)
    assert [path for path in written if b"CANARY" in path.read_bytes()] == []
