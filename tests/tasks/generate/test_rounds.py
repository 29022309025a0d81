"""Top-up rounds, as the store tells them: from rejected samples to a balanced dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.contracts import Candidate, GateScore
from storage.errors import ObjectMissing
from storage.layout import DatasetRef
from storage.ledger import committed_shards
from storage.records import PairRow
from storage.tables import from_parquet
from tasks.generate.rounds import Rounds
from tasks.recipe.schema import Recipe
from tests.making import Making, fast_recipe

REF = DatasetRef("fast-cxr", "v1")


class Refuses:
    """A gate that refuses the samples whose index is in `indices`: the edge at which rejection is put in."""

    name = "refuses"

    def __init__(self, indices: set[int]) -> None:
        self.indices = indices

    def score(self, batch: Sequence[Candidate]) -> list[GateScore]:
        taken = [int(c.sample_id.rpartition("-")[2]) in self.indices for c in batch]
        return [GateScore(self.name, 0.0 if refused else 1.0, "refused" if refused else "") for refused in taken]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    changes = ["shard_size=8", "pairs=24", "top_up=2", "images.attempts=1", "images.generator.options={size: 64}"]
    return fast_recipe(f"storage.root={tmp_path / 'store'}", *changes)


def making_of(recipe: Recipe, root: Path, refused: set[int]) -> Making:
    making = Making(recipe, root, REF)
    making.images.__dict__["gates"] = [(Refuses(refused), 0.5)]
    return making


def make_all(making: Making) -> list[int]:
    """The whole version; sizes of the rounds."""
    for shard in making.generation.plan.base_shards:
        making.run(shard)
    sizes = []
    for found in making.generation.rounds:
        sizes.append(len(found.rows))
        for shard in found.shards:
            making.run(shard)
    return sizes


def entities(making: Making) -> Counter[str]:
    rows = [from_parquet(making.store.get(REF.index(n)), PairRow) for n in committed_shards(making.store, REF)]
    return Counter(entity for shard in rows for row in shard for entity in row.entities)


def test_rejected_samples_are_replaced_until_the_accepted_are_as_balanced_as_the_plan(
    recipe: Recipe, tmp_path: Path
) -> None:
    making = making_of(recipe, tmp_path / "store", {1, 2, 11, 12, 13, 24})  # 24 is the first of round 1
    assert make_all(making) == [5, 1]
    entries = committed_shards(making.store, REF).values()
    assert sum(entry.accepted for entry in entries) == 24
    assert entities(making) == Counter({k: n for k, n in making.generation.plan.planned_counts().items() if n})
    assert making.generation.rounds.given_up() == 0


def test_without_rejects_there_is_no_round(recipe: Recipe, tmp_path: Path) -> None:
    making = making_of(recipe, tmp_path / "store", set())
    assert make_all(making) == []
    with pytest.raises(IndexError, match="shard 3 of fast-cxr/v1 is not needed"):
        making.run(3)


def test_a_hopeless_sample_ends_with_the_plan_and_is_counted(recipe: Recipe, tmp_path: Path) -> None:
    making = making_of(recipe, tmp_path / "store", {0, *range(24, 48)})
    assert make_all(making) == [1, 1, 1]
    assert making.generation.rounds.given_up() == 1


def test_what_an_early_round_had_no_room_for_is_counted_with_what_the_last_one_lost(
    recipe: Recipe, tmp_path: Path
) -> None:
    making = making_of(recipe.model_copy(update={"top_up": 1.25}), tmp_path / "store", {*range(8), 24})
    assert make_all(making) == [6]
    assert making.generation.rounds.given_up() == 2 + 1


def test_the_indices_are_read_once_however_often_the_rounds_are_asked_for(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = making_of(recipe, tmp_path / "store", {0})
    make_all(making)
    monkeypatch.setattr(making.store, "get", lambda *_: pytest.fail("an index was read again"))
    assert [found.number for found in making.generation.rounds] == [1]
    assert making.generation.rounds.given_up() == 0


def test_a_round_is_not_known_before_the_shards_that_decide_it(recipe: Recipe, tmp_path: Path) -> None:
    making = making_of(recipe, tmp_path / "store", {0})
    making.run(0)
    with pytest.raises(ObjectMissing):
        making.run(3)


def test_another_worker_makes_the_same_bytes(recipe: Recipe, tmp_path: Path) -> None:
    refused = {3, 4, 17, 20}
    one, two = (making_of(recipe, tmp_path / name, refused) for name in ("one", "two"))
    make_all(one)
    for shard in (2, 0, 1):
        two.run(shard)
    heir = making_of(recipe, tmp_path / "two", refused)
    assert [found.number for found in Rounds(heir.generation.plan, heir.store, REF) if heir.run(found.shards[0])] == [
        1
    ]
    keys = [info.key for info in one.store.list(REF.prefix) if info.key.endswith(".tar")]
    assert keys
    assert all(one.store.get(key) == two.store.get(key) for key in keys)
