"""`evaluate` scores every arm once; it needs their checkpoints, and says so before it scores or publishes anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.errors import StoreError
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = pytest.mark.server


def test_every_arm_is_scored_and_a_second_run_scores_nothing(factory_after: Callable[[str], SmallFactory]) -> None:
    factory = factory_after("evaluate")
    before = factory.objects()
    result = run_flow("evaluate", factory.parameters())
    assert {"real", "synthetic"} <= result.keys()
    assert all(0 <= score <= 1 for score in result.values())
    assert factory.objects() == before


def test_without_checkpoints_nothing_is_scored_or_published(factory_after: Callable[[str], SmallFactory]) -> None:
    factory = factory_after("curate")
    before, runs = factory.objects(), len(factory.runs())
    with pytest.raises(StoreError, match="is missing: pretrain first"):
        run_flow("evaluate", factory.parameters())
    assert factory.objects() == before
    assert len(factory.runs()) == runs
