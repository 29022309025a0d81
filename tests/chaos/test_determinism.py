"""A recipe decides its samples: workers, batches and the order of shards do not."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from storage.local import LocalStore
from storage.versions import open_dataset
from tests.chaos.trial import REF, SHARDS, Life, content, recipe_of, rows

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("batch", [1, 16])
def test_workers_batches_and_order_change_nothing(
    tmp_path: Path, undisturbed: dict[str, str], workers: int, batch: int
) -> None:
    store, recipe = LocalStore(tmp_path), recipe_of(f"images.batch={batch}")
    order = random.Random(f"{workers} {batch}").sample(range(SHARDS), SHARDS)
    lives = [Life(recipe, store, order[at::workers], finish=False).start() for at in range(workers)]
    assert [life.wait().code for life in lives] == [0] * workers, [life.failure for life in lives]
    assert Life(recipe, store).start().wait().code == 0  # finds all shards made, and finishes the version
    assert content(open_dataset(store, REF)) == undisturbed
    assert all(len(life.worked()) == SHARDS // workers for life in lives)


def test_another_seed_changes_ids_prompts_and_seeds(tmp_path: Path) -> None:
    """Otherwise the test above would compare what can never differ."""
    made = []
    for seed in (0, 0, 1):
        recipe, store = recipe_of(f"seed={seed}", "pairs=8"), LocalStore(tmp_path / f"{len(made)}")
        assert Life(recipe, store, order=range(2)).start().wait().code == 0
        made.append([(row.sample_id, row.impression, row.report_seed, row.image_seed) for row in rows(store)])
    one, again, other = made
    assert one == again
    for first, second in zip(zip(*one, strict=True), zip(*other, strict=True), strict=True):
        assert first != second
