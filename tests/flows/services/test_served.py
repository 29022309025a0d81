"""A run waits while `serve` starts, and counts as a user of what it uses of it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.services.processes import Services
from flows.services.served import lock_of, served, users
from storage.locks import locked
from storage.process import Identity, end_services, spawn

URL = "http://127.0.0.1:9"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A state folder for which an MLflow server is recorded."""
    service = spawn("mlflow", tmp_path, [sys.executable, "-c", "import time; time.sleep(60)"], url=URL)
    Services(services=(service,)).save(tmp_path)
    yield tmp_path
    end_services(tmp_path, {"mlflow": service})


@pytest.mark.parametrize("wanted", [None, URL, f"{URL}/", "http://localhost:9"])
def test_a_process_counts_as_a_user_inside_the_block(home: Path, wanted: str | None) -> None:
    with served(home, "mlflow", wanted) as url:
        assert url == URL
        assert users(home) == [Identity.of(os.getpid())]
    assert users(home) == []


@pytest.mark.parametrize(("name", "wanted"), [("mlflow", "http://127.0.0.1:99"), ("prefect", None)])
def test_another_server_and_one_that_does_not_run_have_no_user(home: Path, name: str, wanted: str | None) -> None:
    with served(home, name, wanted) as url:
        assert url is None
        assert users(home) == []


def test_a_run_waits_until_serve_is_done_and_says_for_whom(tmp_path: Path) -> None:
    said: list[str] = []
    found: list[str | None] = []

    def use() -> None:
        with served(tmp_path, "mlflow", say=said.append) as url:
            found.append(url)

    with locked(lock_of(tmp_path)):
        run = threading.Thread(target=use)
        run.start()
        run.join(1.5)
        assert run.is_alive()
        service = spawn("mlflow", tmp_path, [sys.executable, "-c", "import time; time.sleep(60)"], url=URL)
        Services(services=(service,)).save(tmp_path)
    run.join(10)
    end_services(tmp_path, {"mlflow": service})
    assert found == [URL]
    assert len(said) == 1
    assert said[0].startswith(f"waiting for process {os.getpid()} ")
