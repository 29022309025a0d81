"""The record of services: those that run, those that ended, and what a damaged one means."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.services.processes import Services, wait_for
from storage.errors import ServiceError
from storage.process import end_services
from tests.sleepers import StartService


def test_services_that_ended_are_recorded_but_do_not_run(tmp_path: Path, start_service: StartService) -> None:
    service = start_service("prefect")
    Services(services=(service,)).save(tmp_path)
    assert Services.load(tmp_path).get("prefect") == service
    assert end_services(tmp_path, Services.load(tmp_path).among(["prefect"]))
    assert Services.load(tmp_path).get("prefect") is None
    assert Services.load(tmp_path).recorded("prefect") == service


def test_a_service_that_is_started_again_takes_the_place_of_the_old_one(start_service: StartService) -> None:
    old, new, other = start_service("prefect"), start_service("prefect"), start_service("mlflow")
    assert Services(services=(old, other)).plus(new).services == (other, new)


@pytest.mark.parametrize("text", [b"", b'{"services": [', b"[]", b'{"services": [{"name": "x"}]}', b"\xff\xfe"])
def test_a_damaged_record_counts_as_empty_unless_services_run(
    tmp_path: Path, start_service: StartService, text: bytes
) -> None:
    (tmp_path / "services.json").write_bytes(text)
    assert Services.load(tmp_path) == Services()
    start_service("mlflow")
    start_service("worker-gpu")
    with pytest.raises(ServiceError, match=r"services.json is cut .*, while mlflow, worker-gpu run: `synth stop`"):
        Services.load(tmp_path)


def test_a_service_that_does_not_answer_is_an_error_that_names_the_address(start_service: StartService) -> None:
    with pytest.raises(ServiceError, match=r"deaf did not answer at http://127.0.0.1:9/ .*refused.*it said nothing"):
        wait_for(start_service("deaf"), "http://127.0.0.1:9/", seconds=0.5)
