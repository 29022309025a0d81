"""One run trains an arm with each objective that has layers of its own, and scores all of them alike."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from models.vlp.objectives import OBJECTIVES, needs_features
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
HEADED = [kind for kind in OBJECTIVES if needs_features(kind)]
"""Those with layers of their own; every other flow trains `clip`."""


def test_objectives_with_heads_go_from_profile_to_zero_shot_scores(
    factory_after: Callable[[str], SmallFactory],
) -> None:
    factory = factory_after("curate")
    arms = {kind: {"mix": ["real"], "objective": kind} for kind in HEADED}
    overrides = (
        f"pretrain.arms={json.dumps(arms)}", f"pretrain.only={json.dumps(list(arms))}", "pretrain.samples_seen=160",
        "evaluate.comparisons=[[gloria, convirt]]",
    )  # fmt: skip
    trained = run_flow("pretrain", factory.parameters(*overrides))
    assert set(HEADED) <= trained.keys()
    trials = [json.loads(factory.store.get(key)) for key in factory.objects() if key.endswith("/trial.json")]
    falls = {
        facts["trial"]["objective"]["kind"]: sum(facts["losses"][:5]) - sum(facts["losses"][-5:]) for facts in trials
    }
    assert set(falls) == set(HEADED)
    assert min(falls.values()) > 0, falls
    assert all(facts["equal_text_rows"] >= 0 for facts in trials)
    scores = run_flow("evaluate", factory.parameters(*overrides))
    assert set(HEADED) <= scores.keys()
    assert all(0 <= score <= 1 for score in scores.values())
