"""Several training seeds are trained from one dataset; what is there already is neither trained nor asked again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tasks.evaluate.evaluate import read_scores
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = pytest.mark.server


def test_a_second_seed_costs_one_training_and_one_prediction_an_arm(
    factory_after: Callable[[str], SmallFactory],
) -> None:
    factory = factory_after("evaluate")
    before = factory.objects()
    seeds = ("pretrain.seeds=[0, 1]", "pretrain.only=[real, synthetic]", "evaluate.bootstrap=20")
    trained = run_flow("pretrain", factory.parameters(*seeds))
    assert {"real, seed 0", "real, seed 1", "synthetic, seed 1"} <= trained.keys()
    scored = run_flow("evaluate", factory.parameters(*seeds))
    assert scored.keys() == {"real", "synthetic"}
    after = factory.objects()
    assert all(after[key] == when for key, when in before.items())
    new = [key for key in after if key not in before]
    assert sum(key.startswith("checkpoints/") and key.endswith(".safetensors") for key in new) == 2
    assert sum(key.startswith("predictions/") and key.endswith(".parquet") for key in new) == 2
    assert not [key for key in new if key.startswith(("datasets/", "selections/"))]
    (table,) = read_scores(factory.store, trained["run"]).tables
    assert table.of("real").seeds == (0, 1)
    assert [(item.arm, item.seeds) for item in table.trials] == [
        ("real", (0,)), ("synthetic", (0,)), ("real", (1,)), ("synthetic", (1,)),
    ]  # fmt: skip
    (gain,) = (item for item in table.differences if (item.arm, item.baseline) == ("synthetic", "real"))
    assert set(gain.by_seed) == {0, 1}
