"""`pretrain` trains each arm once; it needs a curated version, and says so before it trains or publishes anything."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from storage.errors import StoreError
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = pytest.mark.server


def test_every_arm_has_a_checkpoint_and_a_second_run_trains_nothing(
    factory_after: Callable[[str], SmallFactory], capfd: pytest.CaptureFixture[str]
) -> None:
    factory = factory_after("pretrain")
    before = factory.objects()
    names = {key.split("/")[-1] for key in before if key.endswith(".safetensors")}
    assert names
    result = run_flow("pretrain", factory.parameters())
    assert {"real", "synthetic"} <= result.keys()
    assert factory.objects() == before
    assert "real, seed 0: trained already" in capfd.readouterr().err
    arms = {run.data.params["arm"] for run in factory.runs() if "arm" in run.data.params}
    assert {"real", "synthetic"} <= arms
    registered = MlflowClient(f"sqlite:///{factory.home}/mlflow.db").search_model_versions()
    assert {one.name.rpartition("-")[2] for one in registered} == {"real", "synthetic"}
    assert all(len(one.tags["trial"]) == 64 and one.tags["version"] for one in registered)


@pytest.mark.parametrize("state", ["empty", "generated"])
def test_without_a_curated_version_nothing_is_trained_or_published(
    factory: SmallFactory, prefect_server: str, state: str
) -> None:
    assert prefect_server
    if state == "generated":
        run_flow("generate", factory.parameters())
    before, runs = factory.objects(), len(factory.runs())
    with pytest.raises(StoreError, match=r"first"):
        run_flow("pretrain", factory.parameters())
    assert factory.objects() == before
    assert len(factory.runs()) == runs
