"""`serve` leaves nothing half started, and `stop` ends what it started by record, session and mark."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from flows.services import home as folders
from flows.services import serve
from flows.services.processes import Services
from flows.services.served import users as served_users
from storage import leases
from storage.errors import ServiceError
from storage.process import end_services, mark_on, spawn

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(60)"]
INTERRUPTED = f"""
import os, pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from flows.services import home as folders
from flows.services import serve
from flows.cli.interrupts import interruptible
from storage.process import spawn
folders.REPOSITORY = home = pathlib.Path(sys.argv[1])
serve._prefect = lambda home, port: spawn("prefect", home, {PARENT!r}, os.environ, url="http://127.0.0.1:9")
with interruptible():
    serve.serve(home)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder; ``prefect.toml`` is written there, and not in the checkout."""
    monkeypatch.setattr(folders, "REPOSITORY", tmp_path)
    yield tmp_path
    end_services(tmp_path, Services().among(serve.SERVED))


def alive(home: Path) -> list[psutil.Process]:
    """Every process that carries a mark of the folder."""
    return [one for one in psutil.process_iter() if mark_on(one).endswith(f"@{home}")]


def stopped(home: Path, force: bool = False) -> list[str]:
    """What `stop` says."""
    said: list[str] = []
    serve.stop(home, force=force, say=said.append)
    return said


def begin(home: Path, *names: str) -> None:
    """Start services, recorded."""
    services = Services()
    for name in names:
        services = services.plus(spawn(name, home, PARENT, os.environ, url="http://127.0.0.1:9"))
    services.save(home)


def test_services_are_ended_in_the_reverse_of_their_order(home: Path) -> None:
    begin(home, *serve.SERVED)
    assert stopped(home) == ["stopped worker-gpu", "stopped worker-cpu", "stopped mlflow", "stopped prefect"]
    assert alive(home) == []
    assert stopped(home) == []


@pytest.mark.parametrize("text", [None, b"", b'{"services": [{"na'])
def test_children_of_a_killed_service_are_ended_even_where_the_record_is_lost(home: Path, text: bytes | None) -> None:
    begin(home, "mlflow")
    _kill_parent(home)
    if text is not None:
        (home / "services.json").write_bytes(text)
    assert stopped(home) == ["stopped mlflow"]
    assert alive(home) == []
    assert Services.load(home) == Services()


def test_a_service_is_started_again_only_after_the_rest_of_it_is_ended(home: Path) -> None:
    begin(home, "mlflow")
    services = Services.load(home)
    _kill_parent(home)
    serve._ensure(home, services, "mlflow", lambda: spawn("mlflow", home, SLEEPER, os.environ))
    assert [one.pid for one in alive(home)] == [service.pid for service in Services.load(home).services]


def test_a_run_that_uses_the_store_is_named_and_left_alone_unless_forced(home: Path) -> None:
    begin(home, "prefect")
    code = "import sys, time, pathlib; from storage import leases; leases.take(pathlib.Path(sys.argv[1]), print)"
    run = subprocess.Popen([sys.executable, "-c", f"{code}; time.sleep(60)", str(home / "store")])
    try:
        while not leases.holders(home / "store"):
            time.sleep(0.05)
        with pytest.raises(ServiceError, match=rf"^process {run.pid} .* still runs: .*`synth stop --force`$"):
            stopped(home)
        assert len(alive(home)) > 0
        assert stopped(home, force=True) == ["stopped prefect"]
    finally:
        run.kill()
        run.wait()


def test_a_run_that_uses_a_served_service_is_named_and_left_alone(home: Path) -> None:
    begin(home, "mlflow")
    code = (
        "import pathlib, sys, time\nfrom flows.services.served import served\n"
        "with served(pathlib.Path(sys.argv[1]), 'mlflow'): time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", code, str(home)])
    try:
        while not served_users(home):
            time.sleep(0.05)
        with pytest.raises(ServiceError, match=rf"^process {run.pid} .* still runs: .*`synth stop --force`$"):
            stopped(home)
        assert len(alive(home)) > 0
    finally:
        run.kill()
        run.wait()
    assert stopped(home) == ["stopped mlflow"]


def test_the_setting_of_another_state_folder_stays(home: Path) -> None:
    begin(home, "prefect")
    setting = home / "prefect.toml"
    setting.write_text('api.url = "http://127.0.0.1:1/api"\n')  # the user's own
    stopped(home)
    assert setting.exists()
    setting.write_text(serve._api_setting("http://127.0.0.1:9/api"))
    stopped(home)
    assert not setting.exists()


@pytest.mark.server
def test_a_start_that_is_interrupted_leaves_nothing_running(home: Path) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(home)], start_new_session=True, **pipes)
    deadline = time.monotonic() + 60
    while Services.load(home).get("prefect") is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(alive(home)) >= 2  # the store too
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert said.splitlines()[-1] == "stopped; what was started is ended again, and `synth serve` starts it anew"
    assert process.returncode == 130
    assert alive(home) == []


@pytest.mark.server
def test_a_killed_start_leaves_nothing_that_stop_does_not_end(home: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(home)], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while Services.load(home).get("prefect") is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert stopped(home) == ["stopped prefect", "stopped object store"]
    assert alive(home) == []


def _kill_parent(home: Path) -> None:
    while len(alive(home)) < 2:
        time.sleep(0.05)
    parent = psutil.Process(Services.load(home).services[0].pid)
    parent.kill()
    parent.wait(10)
