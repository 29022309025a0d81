"""A step of a flow is a task run that gives what its call gives."""

from __future__ import annotations

import pytest
from prefect import flow

from tasks.prefect_tasks import step

pytestmark = [pytest.mark.server, pytest.mark.usefixtures("prefect_server")]


def test_a_step_gives_what_its_call_gives() -> None:
    @flow(name="test")
    def run() -> int:
        return step("kind", "name", lambda: 5)

    assert run() == 5


def test_an_error_of_a_step_ends_the_flow_with_it() -> None:
    def fail() -> int:
        raise ValueError("no 1")

    @flow(name="test")
    def run() -> int:
        return step("kind", "name", fail)

    with pytest.raises(ValueError, match="no 1"):
        run()
