"""Processes are started in sessions of their own, known by pid, start time and mark, and ended exactly."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from storage.errors import ServiceError
from storage.process import (
    Identity,
    PortTaken,
    Service,
    alive,
    described,
    end,
    end_services,
    family,
    free_port,
    mark_of,
    marked,
    remains,
    replace_file,
    spawn,
    wait_until,
)
from tests.sleepers import PARENT, SLEEPER, StartService

NOWHERE = "http://127.0.0.1:9/"


def test_a_process_leads_its_own_session_and_ends_with_its_children(tmp_path: Path) -> None:
    who = spawn("parent", tmp_path, PARENT).identity
    assert os.getsid(who.pid) == who.pid
    found = _wait_for_family(who, 2)
    end(found, 5)
    assert family(who) == []
    assert not any(alive(one) for one in found)


@pytest.mark.parametrize("way", ["by its session", "by its mark"])
def test_the_child_of_a_killed_process_is_found(tmp_path: Path, way: str) -> None:
    mark = mark_of("parent", tmp_path)
    who = spawn("parent", tmp_path, PARENT).identity
    child = next(one for one in _wait_for_family(who, 2) if one.pid != who.pid)
    psutil.Process(who.pid).kill()
    psutil.Process(who.pid).wait(10)
    left = family(who) if way == "by its session" else marked(mark)
    assert [one.pid for one in left] == [child.pid]
    end(left, 5)
    assert marked(mark) == []


def test_the_mark_of_another_folder_is_another_mark(tmp_path: Path) -> None:
    started = spawn("store", tmp_path / "a", SLEEPER)
    assert marked(mark_of("store", tmp_path / "b")) == []
    end(marked(mark_of("store", tmp_path / "a")), 5)
    assert not psutil.pid_exists(started.pid)


def test_a_reused_pid_is_another_process() -> None:
    me = Identity.of(os.getpid())
    assert me.live() is not None
    assert Identity(me.pid, me.created - 100).live() is None
    assert family(Identity(me.pid, me.created - 100)) == []


@pytest.mark.parametrize("pid", [-1, 2**70])
def test_a_pid_that_no_process_can_have_is_dead(pid: int) -> None:
    assert Identity(pid, 1.0).live() is None


def test_a_command_line_is_shown_without_control_characters() -> None:
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "\x1b[31mred"])
    try:
        deadline = time.monotonic() + 10
        while "red" not in described(started.pid) and time.monotonic() < deadline:
            time.sleep(0.01)  # until the new program is there
        assert described(started.pid) == f"process {started.pid} (-c import time; time.sleep(60) ?[31mred)"
    finally:
        started.kill()
        started.wait()


@pytest.mark.parametrize("known", [True, False], ids=["by its record", "by its mark"])
def test_what_is_left_of_a_killed_service_is_ended(tmp_path: Path, start_service: StartService, known: bool) -> None:
    service = start_service("mlflow", PARENT)
    _wait_for_family(service.identity, 2)
    psutil.Process(service.pid).kill()
    psutil.Process(service.pid).wait(10)
    record: dict[str, Service | None] = {"another": service} if known else {"mlflow": None}
    assert len(remains(tmp_path, record)) == 1
    assert end_services(tmp_path, record) is True
    assert end_services(tmp_path, {"mlflow": None}) is False


def test_a_service_with_a_reused_pid_is_not_ours(tmp_path: Path, start_service: StartService) -> None:
    service = start_service("prefect")
    other = service.model_copy(update={"created": service.created - 100})
    assert other.process() is None
    assert end_services(tmp_path, {"another": other}) is False
    assert service.process() is not None


def test_a_taken_port_is_named_with_its_owner_and_the_remedy(start_service: StartService) -> None:
    port = free_port()
    listener = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    service = start_service("squatter", [sys.executable, "-c", listener])
    with socket.socket() as probe:
        while probe.connect_ex(("127.0.0.1", port)) and service.process():
            time.sleep(0.05)
    with pytest.raises(PortTaken, match=rf"port {port} is taken by process {service.pid} .*: .*choose another port"):
        free_port(port)


def test_a_service_that_dies_while_starting_shows_the_end_of_its_log_in_one_line(start_service: StartService) -> None:
    log = "trace\\nno such database\\n\\ngoroutine 1 [running]:\\nmain.main()\\n"
    service = start_service("broken", [sys.executable, "-c", f"raise SystemExit('{log}')"])
    with pytest.raises(ServiceError, match=r"^broken ended while it started: no such database \(log: .*broken.log\)$"):
        wait_until(service, lambda: "refused", 20)


@pytest.mark.parametrize("way", [["-m", "this"], ["-c", "import this"]], ids=["module", "command"])
def test_a_python_service_and_its_children_import_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start_service: StartService, way: list[str]
) -> None:
    (tmp_path / "this.py").write_text("print('of the current folder')")
    monkeypatch.chdir(tmp_path)
    run_child = f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, *{way!r}]))"
    for name, argv in {"itself": [sys.executable, *way], "parent": [sys.executable, "-c", run_child]}.items():
        service = start_service(name, argv)
        deadline = time.monotonic() + 30
        while service.process() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "The Zen of Python" in Path(service.log).read_text()


def test_a_service_that_never_answers_is_an_error_that_says_where_and_why(start_service: StartService) -> None:
    told = r"^deaf did not answer at http://127.0.0.1:9/ within 0 s \(refused\): it said nothing \(log: .*\)$"
    with pytest.raises(ServiceError, match=told):
        wait_until(start_service("deaf"), lambda: "refused", 0.4, where=NOWHERE)


def test_a_file_is_replaced_whole_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    (tmp_path / "record.tmp").write_text("left by a killed writer")
    for text in ("old", "new"):
        replace_file(path, text)
        assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["record.json"]


def _wait_for_family(who: Identity, number: int) -> list[psutil.Process]:
    deadline = time.monotonic() + 20
    while len(found := family(who)) < number and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == number
    return found
