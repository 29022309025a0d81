"""`generate` publishes a version once; a second run makes nothing, and mistakes are told before any work."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.layout import DatasetRef
from storage.versions import open_dataset
from tasks.publish.dataset import RecipeChanged
from tasks.recipe.errors import RecipeError
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = pytest.mark.server


def test_a_version_is_published_and_tracked(factory: SmallFactory, prefect_server: str) -> None:
    assert prefect_server
    result = run_flow("generate", factory.parameters())
    name, _, version = result["dataset"].partition("/")
    manifest = open_dataset(factory.store, DatasetRef(name, version))
    assert (manifest.asked, manifest.accepted) == (8, result["accepted"])
    assert result["accepted"] == 8
    assert any(key.startswith(f"tags/{name}/latest/") for key in factory.objects())
    parent, nested = factory.runs()
    assert nested.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.data.params["version"] == version
    assert {parent.info.status, nested.info.status} == {"FINISHED"}


def test_a_second_run_makes_nothing(
    factory_after: Callable[[str], SmallFactory], capfd: pytest.CaptureFixture[str]
) -> None:
    factory = factory_after("generate")
    before = factory.objects()
    result = run_flow("generate", factory.parameters())
    assert result["accepted"] == 8
    assert factory.objects() == before
    assert "is published already: nothing is generated" in capfd.readouterr().err


def test_a_version_of_another_recipe_is_refused(factory_after: Callable[[str], SmallFactory]) -> None:
    factory = factory_after("generate")
    before, version = factory.objects(), next(iter(factory.store.list("datasets/"))).key.split("/")[2]
    with pytest.raises(RecipeChanged, match=r"seed: 0 -> 5"):
        run_flow("generate", factory.parameters("seed=5", f"version={version}"))
    assert factory.objects() == before


def test_mistakes_in_the_recipe_are_told_together_and_nothing_is_begun(
    factory: SmallFactory, prefect_server: str
) -> None:
    assert prefect_server
    with pytest.raises(RecipeError) as raised:
        run_flow("generate", factory.parameters("images.batch=0", "seeed=3"))
    assert [line.partition(":")[0] for line in raised.value.problems] == ["images.batch", "seeed"]
    assert factory.objects() == {}
    assert factory.runs() == []
