"""The order of samples is arithmetic, and a stream from the store follows it from any place on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import CorruptShard, ObjectMissing
from storage.loader import Part, SampleOrder, SampleStream, read_parts, some_parts
from storage.local import LocalStore
from storage.shards import Sample, write_tar

SIZES = ((7, 1, 12, 5), (3, 9))
"""Samples in each tar of two sources."""
TOTAL = sum(map(sum, SIZES))


class Watched(LocalStore):
    """A local store that keeps count of the tars that were opened."""

    opened: list[str]

    def open(self, key: str) -> BinaryIO:
        self.opened.append(key)
        return super().open(key)


def sources() -> list[list[Part]]:
    """What the two sources hold: samples are numbered source by source, tar by tar."""
    parts: list[list[Part]] = []
    number = 0
    for source, sizes in enumerate(SIZES):
        parts.append([])
        for tar, size in enumerate(sizes):
            ids = tuple(f"sample-{number + at:05d}" for at in range(size))
            parts[-1].append(Part(f"{source}-{tar}.tar", ids))
            number += size
    return parts


def number_of(sample: Sample) -> int:
    return int(sample.key.rpartition("-")[2])


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """37 samples in six tars."""
    store = Watched(tmp_path_factory.mktemp("tars"))
    store.opened = []
    for part in (part for parts in sources() for part in parts):
        store.put(part.key, write_tar(Sample(name, b"film", "report", {"index": 0}) for name in part.ids))
    return store


blocks = st.integers(1, 50)
seeds = st.integers(0, 2**43)


@given(seed=seeds, block=blocks, epoch=st.integers(0, 5))
def test_every_sample_comes_once_per_epoch(seed: int, block: int, epoch: int) -> None:
    order = SampleOrder(SIZES, seed, block)
    assert sorted(order.epoch(epoch).tolist()) == list(range(TOTAL))
    assert sorted(order.line(epoch).tolist()) == list(range(TOTAL))
    assert order.epoch(epoch).tolist() == SampleOrder(SIZES, seed, block).epoch(epoch).tolist()


def test_seed_and_epoch_decide_the_order() -> None:
    for block in (4, 2048):
        orders = {tuple(SampleOrder(SIZES, seed, block).epoch(epoch)) for seed in (0, 1) for epoch in (0, 1)}
        assert len(orders) == 4


def test_a_set_of_one_block_is_shuffled_as_a_whole() -> None:
    import numpy as np

    assert SampleOrder(SIZES, 3).epoch(2).tolist() == np.random.default_rng([3, 2]).permutation(TOTAL).tolist()


def test_sources_are_interleaved_in_proportion() -> None:
    line = SampleOrder(((100,) * 9, (100,)), 0, block=100).line(0)
    second = [int((line[at : at + 100] >= 900).sum()) for at in range(0, 1000, 100)]
    assert second == [10] * 10


def test_visits_go_on_through_epochs() -> None:
    order = SampleOrder(SIZES, 0, block=8)
    told = order.visits(TOTAL - 2, 4)
    assert [epoch for epoch, _ in told] == [0, 0, 1, 1]
    assert [sample for _, sample in told] == [*order.epoch(0)[-2:], *order.epoch(1)[:2]]
    assert order.visits(0, TOTAL) == [(0, int(at)) for at in order.epoch(0)]


@pytest.mark.parametrize(("sizes", "block"), [((), 4), (((),), 4), (((3,), (0,)), 4), (((3,),), 0)])
def test_nothing_has_no_order(sizes: tuple[tuple[int, ...], ...], block: int) -> None:
    with pytest.raises(ValueError, match="have no order"):
        SampleOrder(sizes, 0, block)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 9), block=blocks, first=st.integers(0, 3 * TOTAL), count=st.integers(1, TOTAL),
    workers=st.sampled_from([0, 1, 3]),
)  # fmt: skip
def test_a_stream_follows_the_order_from_any_place(
    tars: Watched, seed: int, block: int, first: int, count: int, workers: int
) -> None:
    order = SampleOrder(SIZES, seed, block)
    stream = SampleStream(tars, sources(), order, number_of, workers=workers)
    found = list(islice(stream.start_at(first), count))
    assert found == [(position, position) for _, position in order.visits(first, count)]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 9), block=blocks, first=st.integers(0, 2 * TOTAL), share=st.integers(1, 5),
    workers=st.sampled_from([0, 3]),
)  # fmt: skip
def test_only_wanted_samples_are_decoded_and_come(
    tars: Watched, seed: int, block: int, first: int, share: int, workers: int
) -> None:
    decoded = set[int]()

    def decode(sample: Sample) -> int:
        decoded.add(number_of(sample))
        return number_of(sample)

    order = SampleOrder(SIZES, seed, block)
    stream = SampleStream(tars, sources(), order, decode, workers=workers)
    places = [place for place in range(first, first + TOTAL) if place % share == 0]
    found = list(islice(stream.start_at(first, lambda place: place % share == 0), len(places)))
    expected = [order.visits(place, 1)[0][1] for place in places]
    assert found == [(position, position) for position in expected]
    blocks_read = order.visits(first, TOTAL + block)  # the block at hand is decoded before its first sample comes
    assert decoded <= {sample for place, (_, sample) in enumerate(blocks_read, first) if place % share == 0}


def test_several_threads_decode_at_once(tars: Watched) -> None:
    together = threading.Barrier(3)

    def decode(sample: Sample) -> int:
        together.wait(timeout=30)  # fails where fewer than three come
        return number_of(sample)

    order = SampleOrder(SIZES, 0, block=TOTAL - TOTAL % 3)
    found = list(islice(SampleStream(tars, sources(), order, decode, workers=3).start_at(0), 3))
    assert [position for position, _ in found] == [position for _, position in order.visits(0, 3)]


def test_a_stream_opens_each_tar_once_an_epoch(tars: Watched) -> None:
    stream = SampleStream(tars, sources(), SampleOrder(SIZES, 0, block=4), number_of, prefetch=0)
    tars.opened.clear()
    list(islice(stream.start_at(0), TOTAL))
    assert sorted(tars.opened) == sorted(part.key for parts in sources() for part in parts)


def test_going_on_late_in_an_epoch_opens_no_tar_that_is_done_with(tars: Watched) -> None:
    stream = SampleStream(tars, sources(), SampleOrder(SIZES, 0, block=4), number_of, prefetch=0)
    tars.opened.clear()
    list(islice(stream.start_at(TOTAL - 2), 2))
    assert len(tars.opened) < 4


def test_an_order_of_other_sources_is_refused(tars: Watched) -> None:
    with pytest.raises(ValueError, match="one of other sources"):
        SampleStream(tars, sources(), SampleOrder(((1,),), 0), number_of)


def test_chosen_samples_are_found_in_their_tars() -> None:
    held = {part.key: part.ids for parts in sources() for part in parts}
    wanted = ["sample-00020", "sample-00001", "sample-00000"]
    assert some_parts(held, wanted) == [
        Part("0-0.tar", ("sample-00000", "sample-00001")),
        Part("0-3.tar", ("sample-00020",)),
    ]
    assert some_parts(held, []) == []
    with pytest.raises(ValueError, match="1 chosen samples are in no tar, such as 'elsewhere'"):
        some_parts(held, ["elsewhere", "sample-00000"])


def test_parts_are_read_in_order_and_in_part(tars: Watched) -> None:
    parts = sources()[0]
    assert [sample.key for sample in read_parts(tars, parts)] == [name for part in parts for name in part.ids]
    only = frozenset({"sample-00008", "sample-00024"})
    tars.opened.clear()
    assert [sample.key for sample in read_parts(tars, parts, only)] == sorted(only)
    assert sorted(tars.opened) == ["0-2.tar", "0-3.tar"]


@pytest.mark.parametrize("cut", ["no byte", "no sample", "too few samples", "half the bytes"])
def test_an_empty_or_short_shard_is_named_and_never_passed_over(tmp_path: Path, cut: str) -> None:
    store, ids = LocalStore(tmp_path), tuple(f"sample-{at:05d}" for at in range(4))
    samples = [Sample(name, b"film", "report", {"index": 0}) for name in ids]
    whole = write_tar(samples)
    held = {
        "no byte": b"", "no sample": write_tar([]), "too few samples": write_tar(samples[:3]),
        "half the bytes": whole[: len(whole) // 2],
    }  # fmt: skip
    store.put("0-0.tar", held[cut])
    part = Part("0-0.tar", ids)
    with pytest.raises(CorruptShard, match=r"0-0\.tar (does not hold sample sample-0000|is damaged)"):
        list(read_parts(store, [part]))
    stream = SampleStream(store, [[part]], SampleOrder([[4]], 0), number_of)
    with pytest.raises(CorruptShard, match=r"0-0\.tar (does not hold sample sample-0000|is damaged)"):
        next(stream.start_at(0))


@pytest.mark.parametrize(
    "ids", [("sample-00008", "sample-00008"), ("elsewhere",), ("sample-00010", "sample-00009"), ("sample-00000",)]
)
def test_a_tar_that_does_not_hold_what_its_index_names_is_refused(tars: Watched, ids: tuple[str, ...]) -> None:
    part = Part("0-2.tar", ids)
    with pytest.raises(CorruptShard, match=r"0-2\.tar does not hold sample"):
        list(read_parts(tars, [part]))
    stream = SampleStream(tars, [[part]], SampleOrder([[len(ids)]], 0), number_of)
    with pytest.raises(CorruptShard, match=r"0-2\.tar does not hold sample"):
        next(stream.start_at(0))


@pytest.mark.parametrize("damage", [lambda data: data[:700], lambda data: data[:1500] + b"x" * 20 + data[1520:]])
def test_a_damaged_tar_is_named(tmp_path_factory: pytest.TempPathFactory, damage: Callable[[bytes], bytes]) -> None:
    store = LocalStore(tmp_path_factory.mktemp("damaged"))
    part = sources()[0][0]
    whole = write_tar(Sample(name, b"film", "report", {"index": 0}) for name in part.ids)
    store.put(part.key, damage(whole))
    with pytest.raises(CorruptShard, match=r"0-0\.tar"):
        list(read_parts(store, [part]))
    with pytest.raises(ObjectMissing):
        list(read_parts(store, [Part("gone.tar", ("a",))]))
