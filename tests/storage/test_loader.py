"""A loader hands out every sample once per epoch, whoever reads, in an order that can be had again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.errors import CorruptShard, ObjectMissing
from storage.layout import DatasetRef
from storage.ledger import commit_shard
from storage.loader import Loader, Part, all_parts, ids_by_tar, some_parts
from storage.local import LocalStore
from storage.manifest import write_manifest
from storage.objects import ObjectStore
from storage.shards import Sample, write_tar
from tasks.publish.dataset import make_manifest

Make = Callable[..., Sample]
SIZES = (7, 1, 12, 5)
IDS = [f"sample-{number:05d}" for number in range(sum(SIZES))]


class Watched(LocalStore):
    """A local store that keeps count of the tars that were opened."""

    opened: list[str]

    def open(self, key: str) -> BinaryIO:
        self.opened.append(key)
        return super().open(key)


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Watched:
    """25 samples in four tars of different sizes."""
    make: Make = request.getfixturevalue("small_pair")
    store = Watched(tmp_path_factory.mktemp("tars"))
    store.opened = []
    for number, (key, _) in enumerate(layout()):
        first = sum(SIZES[:number])
        store.put(key, write_tar(make(first + at) for at in range(SIZES[number])))
    return store


@pytest.fixture(scope="module")
def small_pair() -> Make:
    return lambda number: Sample(f"sample-{number:05d}", b"film %d" % number, f"report {number}", {"index": number})


def layout() -> list[tuple[str, list[str]]]:
    starts = [sum(SIZES[:number]) for number in range(len(SIZES))]
    return [(f"{n}.tar", IDS[at : at + size]) for n, (at, size) in enumerate(zip(starts, SIZES, strict=True))]


def parts() -> list[Part]:
    return [Part(key, len(ids)) for key, ids in layout()]


def keys(samples: Iterator[Sample]) -> list[str]:
    return [sample.key for sample in samples]


def shares(store: ObjectStore, ranks: int, workers: int, epoch: int = 0, **options: Any) -> list[list[str]]:
    readers = [(rank, worker) for rank in range(ranks) for worker in range(workers)]
    loaders = [
        Loader(store, parts(), rank=rank, ranks=ranks, worker=worker, workers=workers, **options)
        for rank, worker in readers
    ]
    found = [keys(loader.epoch(epoch)) for loader in loaders]
    assert [len(share) for share in found] == [len(loader) for loader in loaders]
    return found


@pytest.mark.parametrize("block", [1, 4, 1024])
def test_an_epoch_is_shuffled_and_can_be_had_again(tars: ObjectStore, block: int) -> None:
    once, again = (keys(Loader(tars, parts(), seed=3, block=block).epoch(5)) for _ in range(2))
    assert once == again
    assert sorted(once) == IDS != once
    assert keys(Loader(tars, parts(), seed=3, block=block).epoch(6)) != once
    assert keys(Loader(tars, parts(), seed=4, block=block).epoch(5)) != once


def test_without_a_seed_it_keeps_the_order(tars: ObjectStore) -> None:
    assert keys(Loader(tars, parts(), seed=None).epoch(0)) == IDS


@pytest.mark.parametrize(("ranks", "workers"), [(1, 1), (1, 4), (2, 3), (8, 2), (13, 3)])
def test_any_number_of_readers_share_any_number_of_tars(tars: ObjectStore, ranks: int, workers: int) -> None:
    found = shares(tars, ranks, workers, epoch=2, seed=1, block=4)
    assert sorted(key for share in found for key in share) == IDS
    sizes = {len(share) for share in found}
    assert max(sizes) - min(sizes) <= 1
    assert found == shares(tars, ranks, workers, epoch=2, seed=1, block=4)


@given(
    done=st.integers(0, 30),
    block=st.integers(1, 30),
    readers=st.integers(1, 6),
    reader=st.integers(0, 5),
    epoch=st.integers(0, 3),
)
def test_a_reader_resumes_anywhere(
    tars: ObjectStore, done: int, block: int, readers: int, reader: int, epoch: int
) -> None:
    loader = Loader(tars, parts(), seed=9, worker=reader % readers, workers=readers, block=block)
    whole = keys(loader.epoch(epoch))
    assert keys(loader.epoch(epoch, done=min(done, len(whole)))) == whole[done:]


def test_resuming_opens_no_tar_that_was_read_to_its_end(tars: Watched) -> None:
    loader = Loader(tars, parts(), seed=0, block=4, prefetch=0)
    tars.opened = []
    list(loader.epoch(0))
    line = tars.opened
    assert len(line) == 4
    tars.opened = []
    list(islice(loader.epoch(0, done=24), 1))
    assert tars.opened == line[-1:]


def test_a_selection_opens_no_tar_that_holds_nothing_of_it(tars: Watched) -> None:
    wanted = {IDS[0], IDS[9], IDS[12]}  # the first and the third tar
    tars.opened = []
    assert set(keys(Loader(tars, some_parts(dict(layout()), wanted), seed=0).epoch(0))) == wanted
    assert sorted(tars.opened) == ["0.tar", "2.tar"]
    tars.opened = []
    assert keys(Loader(tars, some_parts(dict(layout()), []), seed=0).epoch(0)) == []
    assert keys(Loader(tars, [Part("1.tar", 0)], seed=0).epoch(0)) == []
    assert tars.opened == []


def test_a_reader_opens_only_the_tars_of_its_share(tars: Watched) -> None:
    tars.opened = []
    shares(tars, 1, 4, seed=2, prefetch=0)
    assert sum(Counter(tars.opened).values()) <= len(SIZES) + 3  # a cut lies in at most one tar


def test_a_sample_that_no_tar_holds_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="1 chosen samples are in no tar, such as 'elsewhere'"):
        some_parts(dict(layout()), [IDS[0], "elsewhere"])


@pytest.mark.parametrize(("samples", "word"), [(8, "fewer"), (6, "more")])
def test_a_tar_that_does_not_hold_what_its_index_says_is_named(tars: ObjectStore, samples: int, word: str) -> None:
    with pytest.raises(CorruptShard, match=rf"0\.tar holds {word} than the {samples}"):
        list(Loader(tars, [Part("0.tar", samples)]).epoch(0))


def test_a_tar_without_a_chosen_sample_is_named(tars: ObjectStore) -> None:
    with pytest.raises(CorruptShard, match=r"1\.tar holds fewer"):
        list(Loader(tars, [Part("1.tar", 1, frozenset({"elsewhere"}))]).epoch(0))


def test_a_missing_tar_is_named(tars: ObjectStore) -> None:
    with pytest.raises(ObjectMissing, match=r"gone\.tar"):
        list(Loader(tars, [*parts(), Part("gone.tar", 3)]).epoch(0))


@pytest.mark.parametrize("wrong", [{"rank": 2, "ranks": 2}, {"worker": -1}, {"workers": 0}, {"block": 0}])
def test_a_reader_that_is_not_there(tars: ObjectStore, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="out of range"):
        Loader(tars, parts(), **wrong)


@pytest.mark.server
def test_a_published_version_is_read_from_its_manifest_and_indices(
    store: ObjectStore, ref: DatasetRef, make_pair: Make, make_reject: Callable[..., Any]
) -> None:
    shards = [
        commit_shard(
            store, ref, shard, pairs=[make_pair(shard * 4 + n) for n in range(4)], rejects=[], seconds={}, counts={}
        )
        for shard in range(3)
    ]
    shards.append(commit_shard(store, ref, 3, pairs=[], rejects=[make_reject(12)], seconds={}, counts={}))
    manifest = make_manifest(store, ref, shards, fingerprint="f", asked=12, models={})
    write_manifest(store, ref, manifest)
    ids = ids_by_tar(store, ref, manifest)
    assert ids == {ref.pairs(shard): [f"sample-{shard * 4 + n:05d}" for n in range(4)] for shard in range(3)}
    assert [part.samples for part in all_parts(ref, manifest)] == [4, 4, 4]
    assert set(keys(Loader(store, all_parts(ref, manifest), block=5).epoch(0))) == set(IDS[:12])
    some = some_parts(ids, ["sample-00001", "sample-00009"])
    assert set(keys(Loader(store, some).epoch(0))) == {"sample-00001", "sample-00009"}


@pytest.mark.server
def test_workers_of_a_torch_data_loader_share_one_tar_in_s3(s3_store: ObjectStore, small_pair: Make) -> None:
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    s3_store.put("0.tar", write_tar(small_pair(at) for at in range(20)))

    class Films(IterableDataset):
        def __iter__(self) -> Iterator[str]:
            info = get_worker_info()
            assert info is not None
            loader = Loader(s3_store, [Part("0.tar", 20)], seed=1, worker=info.id, workers=info.num_workers)
            return (sample.key for sample in loader.epoch(0))

    once, again = (list(DataLoader(Films(), batch_size=None, num_workers=2)) for _ in range(2))
    assert once == again
    assert sorted(once) == IDS[:20]
