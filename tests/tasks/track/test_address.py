"""An address of MLflow's that cannot be used is told before the work, in one line, without its password."""

from __future__ import annotations

import shutil
import socket
import time
from pathlib import Path

import pytest

from tasks.track.address import check_address, prepare
from tasks.track.errors import TrackingError


@pytest.mark.parametrize(
    "uri",
    [
        "http://h:5000",
        "https://h/mlflow",
        "sqlite:////a/b.db",
        "sqlite:///b.db",
        "postgresql+psycopg2://u@h/db",
        "databricks",
    ],
)
def test_what_mlflow_knows_is_passed(uri: str) -> None:
    check_address(uri)


@pytest.mark.parametrize("uri", ["", "./mlruns", "/data/mlruns", "file:/data/mlruns", "file:///data/mlruns", "mlruns"])
def test_a_folder_is_refused_with_the_remedy(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrackingError, match=r"tracking\.uri.*no longer.*sqlite:////PATH.*migrate-filestore") as caught:
        check_address(uri)
    assert len(str(caught.value).splitlines()) == 1
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    check_address(uri)


@pytest.mark.parametrize(
    "uri", ["htpp://h", "localhost:5000", "http://", "http:/h", "sqlite://a/b.db", "ftp://u:CANARY@h"]
)
def test_a_slip_is_told(uri: str) -> None:
    with pytest.raises(TrackingError, match=r"tracking\.uri") as caught:
        check_address(uri)
    assert "CANARY" not in str(caught.value)


def test_a_database_server_that_is_not_there_is_told_at_once() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    begun = time.monotonic()
    with pytest.raises(TrackingError, match="cannot be reached") as caught:
        prepare(f"postgresql://me:CANARY@127.0.0.1:{port}/db", print)
    assert time.monotonic() - begun < 10
    assert "CANARY" not in str(caught.value)


def test_a_missing_driver_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(TrackingError, match="needs the Python package"),
    ):
        prepare(f"mysql+mysqldb://me:CANARY@127.0.0.1:{server.getsockname()[1]}/db", print)


def test_a_database_of_the_users_is_made_whole_too(tmp_path: Path, whole: Path, said: list[str]) -> None:
    shutil.copy(whole, tmp_path / "own.db")
    prepare(f"sqlite:///{tmp_path}/own.db?timeout=5", said.append)
    assert said == []
    (tmp_path / "spoilt.db").write_bytes(b"nothing" * 100)
    with pytest.raises(TrackingError, match="move it away"):
        prepare(f"sqlite:///{tmp_path}/spoilt.db", said.append)
