"""The undisturbed run that all others are compared with, and how each is judged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple

import pytest

from storage.local import LocalStore
from storage.objects import ObjectStore
from storage.versions import open_dataset
from tests.chaos.table import PROPERTY
from tests.chaos.trial import REF, Life, content, judge, recipe_of


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run that nothing happened to leaves: SHA-256 by key."""
    store = LocalStore(tmp_path_factory.mktemp("undisturbed"))
    life = Life(recipe_of(), store).start().wait()
    assert life.code == 0, life.failure
    return content(open_dataset(store, REF))


@pytest.fixture
def conclude(undisturbed: dict[str, str], record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Judge a store, put a line in the table, and see that nothing is wrong."""
    begun = time.monotonic()

    def conclude(trial: str, store: ObjectStore, lives: list[Life], disturbances: int) -> None:
        verdict = judge(recipe_of(), store, undisturbed)
        numbers = (disturbances, len(lives), repeated(lives), *astuple(verdict))
        record_property(PROPERTY, [trial, *map(str, numbers), f"{time.monotonic() - begun:.1f}"])
        assert verdict.faults == 0, verdict

    return conclude


def repeated(lives: list[Life]) -> int:
    """How many times a shard was worked on that an earlier life had worked on already."""
    return sum(len(life.worked()) for life in lives) - len(set().union(*(life.worked() for life in lives)))
