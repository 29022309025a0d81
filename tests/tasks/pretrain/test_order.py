"""Which pairs a training sees is a function of seed and step: not of ranks, of loader workers, or of its start."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training.distributed import own_rows
from storage.objects import ObjectStore
from tasks.pretrain.ahead import made_ahead
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
    """The corpus held in memory, and streamed from the store, decoded by one thread and by several."""
    kinds = {"held": (64, 1), "streamed": (0, 1), "decoded by three": (0, 3)}
    made = {
        kind: load_corpus(store, arm, TrainSection(batch=SIZE, cache_megabytes=cache, loader_workers=workers), SEED)
        for kind, (cache, workers) in kinds.items()
    }
    assert [corpus.images is None for corpus in made.values()] == [False, True, True]
    return made


@pytest.fixture(scope="module")
def expected(corpora: dict[str, Corpus]) -> list[tuple[str, ...]]:
    """The ids of 500 batches, in one process that makes each when it is asked for."""
    batches = Batches(corpora["held"], SIZE, SEED)
    return [batches.at(step).samples for step in range(BATCHES)]


def ids_of_rank(corpus: Corpus, workers: int, rank: int, ranks: int, steps: range) -> list[tuple[str, ...]]:
    """The ids that one of several processes computes, step by step."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.training.distributed.world_size", lambda: ranks)
        patch.setattr("models.training.distributed.rank", lambda: rank)
        mine = own_rows(SIZE)
    batches = Batches(corpus, SIZE, SEED, mine)  # each process has its own
    with made_ahead(batches.at, steps.stop, workers) as ahead:
        made = [ahead(step) for step in steps]
    assert {len(batch.images) for batch in made} == {SIZE // ranks}
    return [batch.samples[mine] for batch in made]


def ids_of_ranks(corpus: Corpus, workers: int, ranks: int, steps: range) -> list[tuple[str, ...]]:
    """The ids of the global batches, in the order of the ranks."""
    parts = [ids_of_rank(corpus, workers, rank, ranks, steps) for rank in range(ranks)]
    assert {len(batch) for part in parts for batch in part} == {SIZE // ranks}
    return [sum(each, ()) for each in zip(*parts, strict=True)]


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_ranks_share_the_same_500_batches_with_any_number_of_workers(
    corpora: dict[str, Corpus], expected: list[tuple[str, ...]], ranks: int, workers: int
) -> None:
    assert ids_of_ranks(corpora["held"], workers, ranks, range(BATCHES)) == expected


@settings(max_examples=15)
@given(
    first=st.integers(0, BATCHES - 1), count=st.integers(1, 9), ranks=st.sampled_from([1, 2, 4]),
    workers=st.sampled_from([0, 1, 3]), kind=st.sampled_from(["held", "streamed", "decoded by three"]),
)  # fmt: skip
def test_from_any_first_step_the_batches_are_the_same(
    corpora: dict[str, Corpus], expected: list[tuple[str, ...]], first: int, count: int, ranks: int, workers: int,
    kind: str,
) -> None:  # fmt: skip
    steps = range(first, min(BATCHES, first + count))
    assert ids_of_ranks(corpora[kind], workers, ranks, steps) == expected[steps.start : steps.stop]


@pytest.mark.parametrize("kind", ["streamed", "decoded by three"])
@pytest.mark.parametrize("first", [0, 23, BATCHES - 3])
def test_streamed_batches_have_the_images_and_texts_of_those_in_memory(
    corpora: dict[str, Corpus], first: int, kind: str
) -> None:
    batches, reference = Batches(corpora[kind], SIZE, SEED), Batches(corpora["held"], SIZE, SEED)
    for step in range(first, first + 3):
        found = batches.at(step)
        assert found.texts == reference.at(step).texts
        assert (found.images == reference.at(step).images).all()


@pytest.mark.parametrize("kind", ["held", "streamed", "decoded by three"])
@pytest.mark.parametrize("rows", [slice(0, 4), slice(4, 8), slice(6, 8)])
def test_a_process_reads_the_images_of_its_own_rows_alone(corpora: dict[str, Corpus], kind: str, rows: slice) -> None:
    own, whole = Batches(corpora[kind], SIZE, SEED, rows), Batches(corpora["held"], SIZE, SEED)
    for step in (0, 1, 21, 22, BATCHES - 2, BATCHES - 1):  # in their order and anew, over the end of an epoch
        found, expected = own.at(step), whole.at(step)
        assert (found.samples, found.texts) == (expected.samples, expected.texts)
        assert (found.images == expected.images[rows]).all()


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
