"""`evaluate` scores every arm once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flows.conftest import SmallFactory, run_flow

pytestmark = pytest.mark.server


def test_every_arm_is_scored_and_a_second_run_scores_nothing(factory_after: Callable[[str], SmallFactory]) -> None:
    factory = factory_after("evaluate")
    before = factory.objects()
    result = run_flow("evaluate", factory.parameters())
    assert {"real", "synthetic", "mixed"} <= result.keys()
    assert all(0 <= score <= 1 for score in result.values())
    assert factory.objects() == before
