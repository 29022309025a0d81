"""MLflow servers that are dead, silent, strangers, or that die in the middle of a run."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from mlflow import MlflowClient

from tasks.track.database import database_uri
from tasks.track.errors import TrackingError
from tasks.track.patience import AT_THE_END, IN_A_RUN, WHILE_OPENING
from tasks.track.tracker import track


def told(uri: str) -> str:
    """How opening a run at `uri` fails: one line, in at most 15 s."""
    begun = time.monotonic()
    with pytest.raises(TrackingError) as caught, track(uri, "experiment", "run"):
        pass
    assert time.monotonic() - begun < 15
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_dead_server_is_told_and_its_password_is_not() -> None:
    message = told(f"http://me:CANARY@127.0.0.1:{free_port()}")
    assert "does not answer" in message
    assert "tracking.uri" in message
    assert "CANARY" not in message


def test_a_silent_server_is_given_up_after_the_time_for_opening(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds, tries = (int(WHILE_OPENING[f"MLFLOW_HTTP_REQUEST_{name}"]) for name in ("TIMEOUT", "MAX_RETRIES"))
    assert seconds * (tries + 1) < 15
    monkeypatch.setitem(WHILE_OPENING, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer" in told(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_host_that_does_not_exist_is_told() -> None:
    assert "host name is not known" in told("http://mlflow.invalid:5000")


@contextmanager
def answering(status: int, page: bytes, headers: dict[str, str]) -> Iterator[str]:
    class Server(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(status)
            for name, text in {"Content-Length": str(len(page)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(page)

        do_POST = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


@pytest.mark.parametrize(
    ("status", "page", "headers", "words"),
    [
        (200, b"<html><body>Welcome</body></html>", {}, "no MLflow server"),
        (404, b"<!DOCTYPE html><html>Not here</html>", {}, "no MLflow server"),
        (401, b"You are not authenticated", {"WWW-Authenticate": "Basic"}, "MLFLOW_TRACKING_USERNAME"),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}', {}, "MLFLOW_TRACKING_USERNAME"),
        (503, b"under repair", {"Retry-After": "600"}, "503"),
    ],
)
def test_a_server_that_is_another_or_refuses_is_told(
    status: int, page: bytes, headers: dict[str, str], words: str
) -> None:
    with answering(status, page, headers) as uri:
        assert words in told(uri)


def test_ctrl_c_does_not_wait_for_a_server() -> None:
    assert int(AT_THE_END["MLFLOW_HTTP_REQUEST_TIMEOUT"]) * 2 < 5
    assert AT_THE_END["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"


@pytest.fixture
def server(whole: Path, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real MLflow server on a database of its own."""
    port = free_port()
    database = database_uri(Path(shutil.copy(whole, tmp_path / "mlflow.db")))
    argv = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    argv += ["--backend-store-uri", database, "--default-artifact-root", str(tmp_path / "files")]
    with (tmp_path / "log").open("wb") as log:
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        until = time.monotonic() + 240
        while time.monotonic() < until:
            assert process.poll() is None, (tmp_path / "log").read_text()
            try:
                with urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    break
            except (URLError, OSError):
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}", process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a server and its workers, which are of its session."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.server
def test_a_server_that_dies_in_mid_run_costs_no_work(
    server: tuple[str, subprocess.Popen[bytes]],
    said: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(IN_A_RUN, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    uri, process = server
    work = []
    with track(uri, "experiment", "run", artifacts=str(tmp_path / "files"), say=said.append) as run:
        run.params({"odd %": "🩻", "seed": 7})
        run.metrics({"none": float("nan"), "large": float("inf")})
        assert said == []
        stored = MlflowClient(uri).get_run(run.id)
        assert stored.data.params == {"odd _x25_": "🩻", "seed": "7"}
        end(process)
        for number in range(5):
            with run.nested(f"arm {number}") as arm:
                arm.points("loss", [(step, 1.0) for step in range(10)])
                arm.text("x", "x.txt")
                work.append(number)
    assert work == [0, 1, 2, 3, 4]
    assert len(said) == 2
    assert "does not answer" in said[0]
    assert "incomplete" in said[1]
    assert capfd.readouterr() == ("", "")
