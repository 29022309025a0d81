"""Runs of a state folder share one Prefect server, and an API that is configured must answer."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from flows.services import prefect_server as orchestration
from flows.services import served
from flows.services.prefect_server import SHARED, answers, prefect_api, shared_server, stop_shared, users
from flows.services.processes import Services
from storage import leases
from storage.errors import ServiceError
from storage.locks import locked
from storage.process import Service, end_services, spawn


class _Anything(BaseHTTPRequestHandler):
    """Answers every request with the status in its path, or 200."""

    def do_GET(self) -> None:
        number = self.path.strip("/").partition("/")[0]
        self.send_response(int(number) if number.isdecimal() else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@pytest.fixture
def http() -> Iterator[str]:
    """A server that answers everything."""
    server = HTTPServer(("127.0.0.1", 0), _Anything)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder without an API in the environment, nor in the settings that another test's server may be in."""
    from prefect.context import SettingsContext

    monkeypatch.setattr(SettingsContext, "__var__", ContextVar("settings of this test"))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sleeper(home: Path, http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of a Prefect server, a process that does nothing, at an address that answers."""

    def start(*_: object) -> str:
        argv = [sys.executable, "-c", "import time; time.sleep(60)"]
        service = spawn(SHARED, home, argv, url=http)
        Services(services=(service,)).save(home / SHARED)
        return f"{http}/api"

    monkeypatch.setattr(orchestration, "_start", start)


def _server(home: Path) -> psutil.Process | None:
    service: Service | None = Services.load(home / SHARED).get(SHARED)
    return service.process() if service else None


@pytest.mark.usefixtures("sleeper")
def test_runs_share_a_server_and_the_last_ends_it(home: Path) -> None:
    with shared_server(home) as first:
        one = _server(home)
        with shared_server(home) as second:
            assert second == first
            assert _server(home) == one
            assert len(users(home)) == 2
        assert _server(home) == one
    assert _server(home) is None
    assert one is not None
    assert not one.is_running()


@pytest.mark.usefixtures("sleeper")
def test_the_server_of_a_killed_run_is_used_by_the_next_or_ended_by_stop(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as killed, shared_server(home):
        killed.setattr(leases, "leave", lambda *_: None)
        left = _server(home)
    for path in (home / SHARED / "leases").iterdir():
        path.write_text('{"pid": 999999, "created": 1.5}')
    with shared_server(home):
        assert _server(home) == left
    assert _server(home) is None
    with monkeypatch.context() as killed, shared_server(home):
        killed.setattr(leases, "leave", lambda *_: None)
    assert stop_shared(home) is True
    assert _server(home) is None
    assert stop_shared(home) is False


@pytest.mark.usefixtures("sleeper")
def test_a_server_that_does_not_answer_is_replaced(home: Path) -> None:
    (home / SHARED).mkdir()
    deaf = spawn(SHARED, home, [sys.executable, "-c", "import time; time.sleep(60)"], url="http://127.0.0.1:9")
    Services(services=(deaf,)).save(home / SHARED)
    with shared_server(home):
        assert deaf.process() is None
        assert _server(home) is not None


def test_an_api_of_the_environment_is_used_and_not_ended(
    home: Path, http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"{http}/api")
    from prefect.settings import get_current_settings

    with prefect_api(home):
        assert get_current_settings().api.url == f"{http}/api"
    assert os.environ["PREFECT_API_URL"] == f"{http}/api"
    assert not (home / SHARED).exists()


def test_an_api_that_does_not_answer_is_one_line_without_its_password(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://me:pass@127.0.0.1:9/api")
    begun = time.monotonic()
    with pytest.raises(ServiceError) as told, prefect_api(home):
        pass
    assert time.monotonic() - begun < 5
    assert str(told.value).startswith("the Prefect API http://***@127.0.0.1:9/api does not answer: start it, or")
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize("known", [False, True], ids=["by its record", "by the environment"])
def test_a_served_api_is_used_and_counts_as_used(
    home: Path, http: str, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    service = spawn("prefect", home, [sys.executable, "-c", "import time; time.sleep(60)"], url=http)
    Services(services=(service,)).save(home)
    if known:
        monkeypatch.setenv("PREFECT_API_URL", f"{http}/api")
    try:
        with prefect_api(home):
            assert os.environ["PREFECT_API_URL"] == f"{http}/api"
            assert [user.pid for user in served.users(home)] == [os.getpid()]
        assert ("PREFECT_API_URL" in os.environ) is known
        assert served.users(home) == []
    finally:
        end_services(home, {"prefect": None})


def test_a_served_api_that_is_still_starting_is_waited_for(home: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Anything, bind_and_activate=False)
    server.server_bind()  # bound, and not listening yet: connections are refused
    url = f"http://127.0.0.1:{server.server_port}"
    used: list[str] = []

    def run() -> None:
        with prefect_api(home, say=lambda _: None):
            used.append(os.environ["PREFECT_API_URL"])

    with locked(served.lock_of(home)):
        service = spawn("prefect", home, [sys.executable, "-c", "import time; time.sleep(60)"], url=url)
        Services(services=(service,)).save(home)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(0.5)
        server.server_activate()
        threading.Thread(target=server.serve_forever, daemon=True).start()
    thread.join(20)
    server.shutdown()
    server.server_close()
    end_services(home, {"prefect": None})
    assert used == [f"{url}/api"]


def test_a_served_api_that_does_not_answer_is_told_with_the_commands_that_help(home: Path) -> None:
    argv = [sys.executable, "-c", "import time; time.sleep(60)"]
    Services(services=(spawn("prefect", home, argv, url="http://127.0.0.1:9"),)).save(home)
    try:
        with (
            pytest.raises(ServiceError, match=r"of `synth serve` at http://127.0.0.1:9 .*`synth stop`"),
            prefect_api(home),
        ):
            pass
    finally:
        end_services(home, {"prefect": None})


@pytest.mark.usefixtures("sleeper")
def test_the_setting_that_a_dead_serve_left_behind_is_passed_over(
    home: Path, http: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows.services.home import WRITTEN

    monkeypatch.setattr(orchestration, "_send_the_rest", lambda: None)
    (home / "prefect.toml").write_text(f'{WRITTEN}api.url = "http://127.0.0.1:9/api"\n')
    orchestration._read_settings()
    with prefect_api(home):
        assert os.environ["PREFECT_API_URL"] == f"{http}/api"


@pytest.mark.parametrize(("path", "there"), [("", True), ("/401", True), ("/503", True)])
def test_any_answer_counts(http: str, path: str, there: bool) -> None:
    assert answers(f"{http}{path}") is there


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/api", "no address", "http://[", "ftp://127.0.0.1:9"])
def test_no_answer_and_no_address_count_as_none(url: str) -> None:
    assert answers(url) is False
