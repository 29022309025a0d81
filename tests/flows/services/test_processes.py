"""Services are known by pid and start time, answer before they count as up, and are ended exactly."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows.services.processes import Service, ServiceError, Services, end, free_port, processes, spawn, wait_for

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(60)"]
Begin = Callable[..., Service]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start services of `tmp_path` by name."""
    begun: list[Service] = []

    def begin(name: str, argv: list[str] = SLEEPER) -> Service:
        begun.append(spawn(name, tmp_path, argv, os.environ))
        return begun[-1]

    yield begin
    end(tmp_path, {service.name for service in begun}, Services())


@pytest.mark.parametrize("known", [True, False], ids=["by its record", "by its mark"])
def test_what_is_left_of_a_killed_service_is_ended(tmp_path: Path, begin: Begin, known: bool) -> None:
    service = begin("mlflow", PARENT)
    deadline = time.monotonic() + 20
    record = Services(services=(service,)) if known else Services()
    while len(processes(tmp_path, ["mlflow"], record)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    psutil.Process(service.pid).kill()
    psutil.Process(service.pid).wait(10)
    name = "mlflow" if not known else "another"  # its mark is not looked for
    record = Services(services=(service.model_copy(update={"name": name}),)) if known else Services()
    assert len(processes(tmp_path, [name], record)) == 1
    assert end(tmp_path, [name], record) is True
    assert end(tmp_path, ["mlflow"], record) is False


def test_a_reused_pid_is_not_ours(tmp_path: Path, begin: Begin) -> None:
    service = begin("prefect")
    other = service.model_copy(update={"created": service.created - 100})
    assert other.process() is None
    assert end(tmp_path, ["another"], Services(services=(other.model_copy(update={"name": "another"}),))) is False
    assert service.process() is not None


def test_services_that_ended_are_recorded_but_do_not_run(tmp_path: Path, begin: Begin) -> None:
    service = begin("prefect")
    Services(services=(service,)).save(tmp_path)
    assert Services.load(tmp_path).get("prefect") == service
    end(tmp_path, ["prefect"], Services.load(tmp_path))
    assert Services.load(tmp_path).get("prefect") is None
    assert Services.load(tmp_path).recorded("prefect") == service


def test_a_service_that_is_started_again_takes_the_place_of_the_old_one(begin: Begin) -> None:
    old, new, other = begin("prefect"), begin("prefect"), begin("mlflow")
    assert Services(services=(old, other)).plus(new).services == (other, new)


@pytest.mark.parametrize("text", [b"", b'{"services": [', b"[]", b'{"services": [{"name": "x"}]}', b"\xff\xfe"])
def test_a_damaged_record_counts_as_empty_unless_services_run(tmp_path: Path, begin: Begin, text: bytes) -> None:
    (tmp_path / "services.json").write_bytes(text)
    assert Services.load(tmp_path) == Services()
    begin("mlflow")
    begin("worker-gpu")
    with pytest.raises(ServiceError, match=r"services.json is cut .*, while mlflow, worker-gpu run: `synth stop`"):
        Services.load(tmp_path)


def test_a_taken_port_is_named_with_its_owner_and_the_remedy(begin: Begin) -> None:
    port = free_port()
    listener = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    service = begin("squatter", [sys.executable, "-c", listener])
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)) and service.process():
            time.sleep(0.05)
    with pytest.raises(
        ServiceError, match=rf"port {port} is taken by process {service.pid} .*: .*choose another port"
    ):
        free_port(port)


def test_a_service_that_dies_while_starting_shows_the_end_of_its_log_in_one_line(begin: Begin) -> None:
    service = begin("broken", [sys.executable, "-c", "raise SystemExit('trace\\nno such database\\n')"])
    with pytest.raises(ServiceError, match=r"^broken ended while it started: no such database \(log: .*broken.log\)$"):
        wait_for(service, "http://127.0.0.1:9/", seconds=20)


def test_a_service_that_never_answers_is_an_error_that_names_the_address(begin: Begin) -> None:
    with pytest.raises(ServiceError, match=r"deaf did not answer at http://127.0.0.1:9/ .*it said nothing"):
        wait_for(begin("deaf"), "http://127.0.0.1:9/", seconds=0.5)
