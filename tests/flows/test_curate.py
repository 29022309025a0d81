"""`curate` writes a selection once; it needs a version, and rules that fit it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.errors import StoreError
from tasks.recipe.errors import RecipeError
from tests.flows.conftest import SmallFactory, run_flow

pytestmark = pytest.mark.server


def test_a_selection_is_written_once(factory_after: Callable[[str], SmallFactory]) -> None:
    factory = factory_after("generate")
    result = run_flow("curate", factory.parameters())
    assert (result["selection"], result["kept"], result["of"]) == ("default", 8, 8)
    before = factory.objects()
    assert [key for key in before if key.startswith(f"selections/{result['dataset']}/default/")]
    assert run_flow("curate", factory.parameters()) == result
    assert factory.objects() == before


def test_other_rules_make_another_selection_beside_it(factory_after: Callable[[str], SmallFactory]) -> None:
    factory = factory_after("curate")
    before = factory.objects()
    result = run_flow("curate", factory.parameters("curate.thresholds.contrast=0.9"))
    assert result["selection"].startswith("rules-")
    assert result["kept"] < 8
    assert before.items() < factory.objects().items()


def test_rules_that_do_not_fit_are_told_before_work(factory_after: Callable[[str], SmallFactory]) -> None:
    factory = factory_after("generate")
    before, runs = factory.objects(), len(factory.runs())
    with pytest.raises(RecipeError, match="the recipe has no gate 'beauty'"):
        run_flow("curate", factory.parameters("curate.thresholds.beauty=1"))
    assert factory.objects() == before
    assert len(factory.runs()) == runs


def test_a_version_that_is_not_there_is_told_before_work(factory: SmallFactory, prefect_server: str) -> None:
    assert prefect_server
    with pytest.raises(StoreError, match=r"no dataset fast-cxr/v-\w+ .*: generate it first"):
        run_flow("curate", factory.parameters())
    assert factory.objects() == {}
    assert factory.runs() == []
