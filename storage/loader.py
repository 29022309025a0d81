"""Read a dataset for training: shuffled, shared out, and resumable in the middle of an epoch.

Where every sample comes is arithmetic. An epoch lays the tars out in a shuffled line; the line is cut into equal
stretches, one for each worker of each rank; a stretch is shuffled block by block. So any number of workers may read
any number of tars, no sample comes twice in an epoch, and a reader may begin anywhere without what came before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

import numpy as np

from storage.errors import CorruptShard
from storage.layout import DatasetRef
from storage.objects import ObjectStore
from storage.read_ahead import Readable, read_ahead
from storage.records import Manifest
from storage.shards import Sample, samples_in
from storage.tables import read_column, read_table_object

_READERS = 8


@dataclass(frozen=True, slots=True)
class Part:
    """What is wanted of one tar.

    Args:
        key: the tar.
        samples: how many are wanted; a tar of which none is wanted is never opened.
        ids: which are wanted; None for all that it holds.
    """

    key: str
    samples: int
    ids: frozenset[str] | None = None


def all_parts(ref: DatasetRef, manifest: Manifest) -> list[Part]:
    """Everything in a version, known from its manifest alone."""
    return [Part(ref.key(shard.pairs.key), shard.accepted) for shard in manifest.shards if shard.pairs is not None]


def ids_by_tar(store: ObjectStore, ref: DatasetRef, manifest: Manifest) -> dict[str, list[str]]:
    """The ids of the samples in every tar of a version, read from the indices, several at a time."""
    shards = [shard for shard in manifest.shards if shard.pairs is not None]
    with ThreadPoolExecutor(_READERS) as pool:
        ids = pool.map(partial(_ids, store), [ref.key(shard.index.key) for shard in shards])
        return {ref.key(shard.pairs.key): list(found) for shard, found in zip(shards, ids, strict=True) if shard.pairs}


def some_parts(ids: Mapping[str, Sequence[str]], chosen: Iterable[str]) -> list[Part]:
    """The chosen samples by tar, given what each tar holds; tars that hold none of them are left out.

    Raises:
        ValueError: a chosen sample is in no tar.
    """
    missing = set(chosen)
    parts: list[Part] = []
    for key, held in ids.items():
        wanted = missing.intersection(held)
        missing -= wanted
        if wanted:
            parts.append(Part(key, len(wanted), frozenset(wanted)))
    if missing:
        raise ValueError(f"{len(missing)} chosen samples are in no tar, such as {min(missing)!r}")
    return parts


class Loader:
    """Hands out the samples of `parts`, each once per epoch over all workers of all ranks.

    Args:
        store: where the tars are.
        parts: what to read.
        seed: decides every order; None reads in the order of `parts`.
        rank, ranks: this process among those that train together.
        worker, workers: this reader among those of its rank, such as a DataLoader's.
        block: samples that are shuffled among each other, and held in memory.
        prefetch: tars fetched ahead of the one being read.

    Raises:
        ValueError: a rank or worker that is not there.
    """

    def __init__(
        self,
        store: ObjectStore,
        parts: Sequence[Part],
        *,
        seed: int | None = 0,
        rank: int = 0,
        ranks: int = 1,
        worker: int = 0,
        workers: int = 1,
        block: int = 256,
        prefetch: int = 2,
    ) -> None:
        if not (0 <= rank < ranks and 0 <= worker < workers and block > 0):
            raise ValueError(f"rank {rank} of {ranks}, worker {worker} of {workers}, block {block}: out of range")
        self.store, self.seed = store, seed
        self.parts: tuple[Part, ...] = tuple(parts)
        self.block, self.prefetch = block, prefetch
        total, reader, readers = sum(part.samples for part in parts), rank * workers + worker, ranks * workers
        self._share = total * reader // readers, total * (reader + 1) // readers

    def __len__(self) -> int:
        """Samples that this reader hands out in an epoch; readers differ by at most one."""
        return self._share[1] - self._share[0]

    def epoch(self, number: int, done: int = 0) -> Iterator[Sample]:
        """The samples of epoch `number`, from the one after the first `done` on.

        Resuming reads again only what of the block at hand was handed out already.

        Raises:
            ObjectMissing: a tar is not there.
            CorruptShard: a tar is damaged, or does not hold what it should.
        """
        first, stop = self._share
        first += min(done, len(self)) // self.block * self.block
        passed = done % self.block
        samples = self._line(number, first, stop)
        if self.seed is None:
            yield from islice(samples, passed, None)
            return
        while block := list(islice(samples, self.block)):
            yield from (block[at] for at in self._order(len(block), number, first)[passed:])
            first, passed = first + len(block), 0

    def _line(self, number: int, low: int, high: int) -> Iterator[Sample]:
        """The samples at places `low` to `high` (exclusive) of the line of all tars."""
        pieces: list[tuple[Part, int, int]] = []
        place = 0
        for at in self._order(len(self.parts), number):
            part = self.parts[at]
            begin, end = max(low - place, 0), min(high - place, part.samples)
            if begin < end:
                pieces.append((part, begin, end))
            place += part.samples
        streams = read_ahead(self.store, [part.key for part, _, _ in pieces], self.prefetch)
        for piece, stream in zip(pieces, streams, strict=True):
            yield from _read(*piece, stream)

    def _order(self, length: int, *place: int) -> list[int]:
        if self.seed is None:
            return list(range(length))
        return np.random.default_rng([self.seed, *place]).permutation(length).tolist()


def _ids(store: ObjectStore, key: str) -> list[str]:
    try:
        return read_column(read_table_object(store, key), "sample_id")
    except CorruptShard as error:
        raise CorruptShard(f"{store.uri(key)}: {error}; `synth verify` says what else is damaged") from error


def _read(part: Part, begin: int, end: int, stream: Readable) -> Iterator[Sample]:
    """Samples `begin` to `end` of those wanted; a tar that is read to its end must hold exactly the wanted number."""
    found = samples_in(stream, part.key, part.ids)
    count = begin
    for sample in islice(found, begin, end):
        count += 1
        yield sample
    if count < end or (end == part.samples and next(found, None) is not None):
        raise CorruptShard(
            f"{part.key} holds {'fewer' if count < end else 'more'} than the {part.samples} samples that its index "
            "or selection names: compare both with the manifest"
        )
