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


@pytest.mark.parametrize(
    "change",
    [
        "evaluate.bootstrap=30",
        "evaluate.tasks=[{kind: retrieval}]",
        "sources.test.films=44",
        "pretrain.only=[synthetic]",
    ],
)
def test_what_is_trained_already_is_scored_anew_without_another_training(
    factory_after: Callable[[str], SmallFactory], change: str
) -> None:
    factory = factory_after("pretrain")
    before, lists = factory.objects(), len([key for key in factory.objects() if key.endswith("/trials.json")])
    result = run_flow("evaluate", factory.parameters(change))
    assert "synthetic" in result
    after = factory.objects()
    assert before.items() <= after.items()
    assert not [key for key in after.keys() - before.keys() if key.startswith("checkpoints/")]
    assert len([key for key in after if key.endswith("/trials.json")]) == lists + 1


@pytest.mark.parametrize("change", ["pretrain.only=[real, synthetic, random]", "pretrain.seeds=[0, 1]"])
def test_one_trial_without_a_checkpoint_is_named_and_nothing_is_scored(
    factory_after: Callable[[str], SmallFactory], change: str
) -> None:
    factory = factory_after("pretrain")
    before, runs = factory.objects(), len(factory.runs())
    with pytest.raises(StoreError, match=r"is missing: pretrain first .*no checkpoint of arm (random|real), seed"):
        run_flow("evaluate", factory.parameters(change))
    assert factory.objects() == before
    assert len(factory.runs()) == runs
