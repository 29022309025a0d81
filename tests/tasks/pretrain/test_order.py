"""Which pairs a training sees is a function of seed and step: not of ranks, of what is read ahead, or of its start."""

from __future__ import annotations

import pytest

from models.training.distributed import own_rows
from storage.objects import ObjectStore
from tasks.pretrain.ahead import one_ahead
from tasks.pretrain.arms import Arm, Draw
from tasks.pretrain.corpus import Batches, Corpus, load_corpus
from tasks.recipe.training import TrainSection

BATCHES, SIZE, SEED = 500, 8, 11


@pytest.fixture(scope="module")
def arm(real: Draw, synthetic: Draw) -> Arm:
    """Both datasets in one mix, which 500 batches pass over twenty times and more."""
    return Arm(name="mixed", mix=(real, synthetic.model_copy(update={"pairs": 90})), samples_seen=BATCHES * SIZE)


@pytest.fixture(scope="module")
def corpora(store: ObjectStore, arm: Arm) -> dict[str, Corpus]:
    """The corpus held in memory, and streamed from the store."""
    held, streamed = (
        load_corpus(store, arm, TrainSection(batch=SIZE, cache_megabytes=megabytes), SEED) for megabytes in (64, 0)
    )
    assert held.images is not None
    assert streamed.images is None
    return {"held": held, "streamed": streamed}


@pytest.fixture(scope="module")
def expected(corpora: dict[str, Corpus]) -> list[tuple[str, ...]]:
    """The ids of 500 batches, in one process that makes each when it is asked for."""
    batches = Batches(corpora["held"], SIZE, SEED)
    return [batches.at(step).samples for step in range(BATCHES)]


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_the_same_500_batches(
    corpora: dict[str, Corpus], expected: list[tuple[str, ...]], ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.distributed.world_size", lambda: ranks)
    parts: list[list[tuple[str, ...]]] = []
    for rank in range(ranks):
        monkeypatch.setattr("models.training.distributed.rank", lambda rank=rank: rank)
        batches = Batches(corpora["held"], SIZE, SEED)  # each process has its own
        parts.append([batches.at(step).samples[own_rows(SIZE)] for step in range(BATCHES)])
    together = [sum(each, ()) for each in zip(*parts, strict=True)]
    assert together == expected
    assert all(len(part) == SIZE // ranks for part in parts[0])


def test_what_is_made_ahead_in_a_thread_is_the_same_500_batches(
    corpora: dict[str, Corpus], expected: list[tuple[str, ...]]
) -> None:
    with one_ahead(Batches(corpora["held"], SIZE, SEED).at, BATCHES) as ahead:
        assert [ahead(step).samples for step in range(BATCHES)] == expected


@pytest.mark.parametrize("kind", ["held", "streamed"])
@pytest.mark.parametrize("first", [0, 1, 23, 137, BATCHES - 3])
def test_from_any_first_step_the_batches_are_the_same(
    corpora: dict[str, Corpus], expected: list[tuple[str, ...]], first: int, kind: str
) -> None:
    batches, reference = Batches(corpora[kind], SIZE, SEED), Batches(corpora["held"], SIZE, SEED)
    for step in range(first, first + 3):
        found = batches.at(step)
        assert found.samples == expected[step]
        assert found.texts == reference.at(step).texts
        assert (found.images == reference.at(step).images).all()


def test_another_seed_is_another_order_and_each_epoch_holds_every_pair_once(
    corpora: dict[str, Corpus], expected: list[tuple[str, ...]]
) -> None:
    other = Batches(corpora["held"], SIZE, SEED + 1)
    held = corpora["held"]
    assert [other.texts(step) for step in range(3)] != [Batches(held, SIZE, SEED).texts(step) for step in range(3)]
    seen = [sample for batch in expected for sample in batch]
    pairs = len(held.samples)
    for epoch in range(len(seen) // pairs):
        assert sorted(seen[epoch * pairs : (epoch + 1) * pairs]) == sorted(held.samples)
