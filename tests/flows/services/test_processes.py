"""The record of services: those that run, those that ended, and what a damaged one means."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flows.services.processes import Services, wait_for
from storage.errors import ServiceError
from storage.process import Service, end_services, spawn

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({SLEEPER!r}); time.sleep(60)"]
Begin = Callable[..., Service]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """Start services of `tmp_path` by name."""
    begun: list[Service] = []

    def begin(name: str, argv: list[str] = SLEEPER) -> Service:
        begun.append(spawn(name, tmp_path, argv))
        return begun[-1]

    yield begin
    end_services(tmp_path, {service.name: None for service in begun})


def test_services_that_ended_are_recorded_but_do_not_run(tmp_path: Path, begin: Begin) -> None:
    service = begin("prefect")
    Services(services=(service,)).save(tmp_path)
    assert Services.load(tmp_path).get("prefect") == service
    assert end_services(tmp_path, Services.load(tmp_path).among(["prefect"]))
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


def test_a_service_that_does_not_answer_is_an_error_that_names_the_address(begin: Begin) -> None:
    with pytest.raises(ServiceError, match=r"deaf did not answer at http://127.0.0.1:9/ .*refused.*it said nothing"):
        wait_for(begin("deaf"), "http://127.0.0.1:9/", seconds=0.5)
