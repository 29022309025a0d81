"""Services are known by pid and start time, answer before they count as up, and are ended exactly."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.services import Service, ServiceError, Services, end, free_port, spawn, wait_for

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_spawned_process_lives_in_its_own_session_and_is_ended_with_its_children(tmp_path: Path) -> None:
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    parent = f"import subprocess, sys, time; {child}; time.sleep(60)"
    service = spawn("parent", [sys.executable, "-c", parent], {}, tmp_path / "log")
    process = service.process()
    assert process is not None
    assert os.getsid(service.pid) == service.pid
    while not (children := process.children(recursive=True)):
        time.sleep(0.05)
    end(service)
    assert service.process() is None
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_reused_pid_is_not_ours(tmp_path: Path) -> None:
    service = spawn("sleeper", SLEEPER, {}, tmp_path / "log")
    other = service.model_copy(update={"created": service.created - 100})
    assert other.process() is None
    end(other)
    assert service.process() is not None
    end(service)


def test_services_that_ended_are_forgotten(tmp_path: Path) -> None:
    service = spawn("sleeper", SLEEPER, {}, tmp_path / "log")
    Services(services=(service,)).save(tmp_path)
    assert Services.load(tmp_path).get("sleeper") == service
    end(service)
    assert Services.load(tmp_path).get("sleeper") is None


def test_a_taken_port_is_named_with_the_remedy() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ServiceError, match=f"port {port} is taken: .*choose another port"):
            free_port(port)


def test_a_service_that_dies_while_starting_shows_its_log(tmp_path: Path) -> None:
    service = spawn("broken", [sys.executable, "-c", "raise SystemExit('no such database')"], {}, tmp_path / "log")
    with pytest.raises(ServiceError, match=r"broken ended while it started:[\s\S]*no such database"):
        wait_for(service, "http://127.0.0.1:9/", seconds=20)


def test_a_service_that_never_answers_is_an_error_that_names_the_address(tmp_path: Path) -> None:
    service: Service = spawn("deaf", SLEEPER, {}, tmp_path / "log")
    try:
        with pytest.raises(ServiceError, match=r"deaf did not answer at http://127.0.0.1:9/"):
            wait_for(service, "http://127.0.0.1:9/", seconds=1)
    finally:
        end(service)
