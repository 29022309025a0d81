"""Made rows stand for those of a published version in what reads columns of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from storage.layout import DatasetRef
from storage.open import open_store
from storage.versions import Version
from tasks.curate.keep import decide
from tasks.recipe.curation import Rules

COUNT = 300


@pytest.fixture(scope="module")
def made_rows(benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return benchmark("made_rows")


def test_they_have_every_column_and_can_be_decided_on(made_rows: ModuleType, tmp_path: Path) -> None:
    store, ref = open_store(str(tmp_path)), DatasetRef("made", "v1")
    made_rows.publish(store, ref, COUNT)
    table, selection = decide(Version.open(store, ref), Rules())
    assert len(table) == COUNT
    assert 0 < len(selection.kept) <= COUNT


def test_a_threshold_on_the_prompts_length_is_a_limit_of_characters(made_rows: ModuleType, tmp_path: Path) -> None:
    store, ref = open_store(str(tmp_path)), DatasetRef("made", "v1")
    made_rows.publish(store, ref, COUNT)
    none_but_length = dict.fromkeys(made_rows.GATES, -1.0) | {"prompt_length": made_rows.LIMIT - 200.0}
    rules = Rules(thresholds=none_but_length, same_image=COUNT, same_report=COUNT)
    table, selection = decide(Version.open(store, ref), rules)
    short = table.pairs.filter(table.pairs["report"].str.len_chars() <= 200)["sample_id"].to_list()
    assert 0 < len(short) < COUNT
    assert selection.kept == short
