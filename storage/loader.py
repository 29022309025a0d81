"""Read samples of dataset versions for training, in an order that depends on a seed and nothing else.

Samples are numbered source by source, tar by tar. An epoch lays them out in a line, the tars of each source shuffled
and the sources interleaved in proportion; the line is shuffled block by block. So the place of every sample is
arithmetic: whoever holds all samples in memory and whoever streams them from the store sees the same order, from any
place on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from storage.errors import CorruptShard
from storage.objects import ObjectStore
from storage.read_ahead import read_ahead
from storage.shards import Sample, samples_in

BLOCK = 2048
"""Samples that are shuffled among each other; a stream holds so many in memory. A smaller set is one block."""
_TARS = 1

Positions = npt.NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """What is wanted of one tar.

    Args:
        key: the tar.
        ids: the samples, in the order of the tar; a tar of which none is wanted is never opened.
    """

    key: str
    ids: tuple[str, ...]


def some_parts(ids: Mapping[str, Sequence[str]], chosen: Iterable[str]) -> list[Part]:
    """The chosen samples by tar, given what each tar holds; tars that hold none of them are left out.

    Raises:
        ValueError: a chosen sample is in no tar.
    """
    wanted = set(chosen)
    parts = [Part(key, tuple(sample for sample in held if sample in wanted)) for key, held in ids.items()]
    missing = wanted.difference(*(part.ids for part in parts))
    if missing:
        raise ValueError(f"{len(missing)} chosen samples are in no tar, such as {min(missing)!r}")
    return [part for part in parts if part.ids]


class SampleOrder:
    """In which order samples come.

    Args:
        sources: how many samples each tar of each source holds.
        seed: decides every order.
        block: see `BLOCK`.

    Raises:
        ValueError: a source has no sample, or there is no source or no block.
    """

    def __init__(self, sources: Sequence[Sequence[int]], seed: int, block: int = BLOCK) -> None:
        self.sources, self.seed, self.block = tuple(map(tuple, sources)), seed, block
        self._length = sum(map(sum, self.sources))
        if not self.sources or not all(map(sum, self.sources)) or block < 1:
            raise ValueError(f"sources of {list(map(sum, self.sources))} samples in blocks of {block} have no order")
        self.epoch = lru_cache(maxsize=2)(self._epoch)

    def __len__(self) -> int:
        """Samples in an epoch."""
        return self._length

    def line(self, number: int) -> Positions:
        """The samples of epoch `number` in a line, tar by tar: a stream reads them in this order."""
        if len(self) <= self.block:
            return np.arange(len(self))
        lines: list[Positions] = []
        places: list[npt.NDArray[np.float64]] = []
        start = 0
        for source, sizes in enumerate(self.sources):
            ends: Positions = start + np.cumsum(sizes)
            rng = np.random.default_rng([self.seed, number, _TARS, source])
            shuffled: list[int] = rng.permutation(len(sizes)).tolist()
            runs: list[Positions] = [np.arange(int(ends[tar]) - sizes[tar], int(ends[tar])) for tar in shuffled]
            line = np.concatenate(runs)
            lines.append(line)
            places.append((np.arange(len(line)) + 0.5) / len(line))
            start = int(ends[-1])
        return np.concatenate(lines)[np.argsort(np.concatenate(places), kind="stable")]

    def visits(self, first: int, count: int) -> list[tuple[int, int]]:
        """Epoch and sample of `count` places, from place `first` of an endless row of epochs."""
        return [
            (at // len(self), int(self.epoch(at // len(self))[at % len(self)])) for at in range(first, first + count)
        ]

    def _epoch(self, number: int) -> Positions:
        line = self.line(number)
        if len(self) <= self.block:
            return line[np.random.default_rng([self.seed, number]).permutation(len(self))]
        blocks = [line[at : at + self.block] for at in range(0, len(self), self.block)]
        return np.concatenate(
            [
                block[np.random.default_rng([self.seed, number, 0, at]).permutation(len(block))]
                for at, block in enumerate(blocks)
            ]
        )


class SampleStream(Generic[T]):
    """Samples straight from the store, in an order.

    Args:
        store: where the tars are.
        sources: what is wanted of each tar of each source.
        order: of these sources.
        decode: what is kept of a sample, so that a block of them fits the memory.
        prefetch: tars of each source that are fetched ahead of the one being read.
        workers: threads that decode; fewer than two decode where the stream is read.

    Raises:
        ValueError: the order is one of other sources.
    """

    def __init__(
        self,
        store: ObjectStore,
        sources: Sequence[Sequence[Part]],
        order: SampleOrder,
        decode: Callable[[Sample], T],
        prefetch: int = 2,
        workers: int = 0,
    ) -> None:
        if order.sources != tuple(tuple(len(part.ids) for part in parts) for parts in sources):
            raise ValueError("the order is one of other sources than those that are read")
        self._store, self._sources, self._order = store, sources, order
        self._decode, self._prefetch, self._workers = decode, prefetch, workers
        sizes = [sum(len(part.ids) for part in parts) for parts in sources]
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    def start_at(self, first: int, wanted: Callable[[int], bool] | None = None) -> Iterator[tuple[int, T]]:
        """Samples with their positions, without end, from place `first` of the endless row of epochs.

        Only what of the block at hand comes before is read again.

        Args:
            first: place of the first sample.
            wanted: whether the sample at a place is decoded and comes at all; None takes every one.

        Raises:
            ObjectMissing: a tar is not there.
            CorruptShard: a tar is damaged, or does not hold what its index names.
        """
        epoch, done = divmod(first, len(self._order))
        while True:
            yield from self._rest(epoch, done, wanted)
            epoch, done = epoch + 1, 0

    def _rest(self, number: int, done: int, wanted: Callable[[int], bool] | None) -> Iterator[tuple[int, T]]:
        order, block = self._order, self._order.block
        line, shuffled, begin = order.line(number), order.epoch(number), done // block * block
        owners = np.searchsorted(self._starts, line, side="right") - 1
        lines = [line[begin:][owners[begin:] == source] for source in range(len(self._sources))]
        streams = [self._line(source, positions) for source, positions in enumerate(lines)]
        for at in range(begin, len(line), block):
            start = max(at, done)
            coming = [
                int(position)
                for place, position in enumerate(shuffled[start : at + block], number * len(order) + start)
                if wanted is None or wanted(place)
            ]
            kept, read = frozenset(coming), (next(streams[int(owner)]) for owner in owners[at : at + block])
            held = dict(self._decoded(placed for placed in read if placed[0] in kept))
            for position in coming:
                yield position, held[position]

    def _decoded(self, samples: Iterator[tuple[int, Sample]]) -> Iterator[tuple[int, T]]:
        """The same, decoded; no more of them are held than keep the threads at work."""
        if self._workers < 2:
            yield from ((position, self._decode(sample)) for position, sample in samples)
            return
        waiting: deque[tuple[int, Future[T]]] = deque()
        with ThreadPoolExecutor(self._workers, thread_name_prefix="decode") as pool:
            for position, sample in samples:
                waiting.append((position, pool.submit(self._decode, sample)))
                if len(waiting) > 2 * self._workers:
                    position, decoded = waiting.popleft()
                    yield position, decoded.result()
            yield from ((position, decoded.result()) for position, decoded in waiting)

    def _line(self, source: int, positions: Positions) -> Iterator[tuple[int, Sample]]:
        """The samples of one source at `positions`, which lie tar by tar."""
        parts = self._sources[source]
        starts = self._starts[source] + np.concatenate([[0], np.cumsum([len(part.ids) for part in parts])[:-1]])
        tars = np.searchsorted(starts, positions, side="right") - 1
        cuts = np.flatnonzero(np.diff(tars)) + 1
        runs = [run.tolist() for run in np.split(np.arange(len(positions)), cuts) if len(run)]
        read = [parts[int(tars[run[0]])] for run in runs]
        streams = read_ahead(self._store, [part.key for part in read], self._prefetch)
        for run, part, stream in zip(runs, read, streams, strict=True):
            start = int(starts[tars[run[0]]])
            wanted = [part.ids[int(positions[at]) - start] for at in run]
            found = samples_in(stream, part.key, frozenset(wanted))
            for position, sample_id in zip(positions[run], wanted, strict=True):
                sample = next(found, None)
                if sample is None or sample.key != sample_id:
                    raise _other(part.key, sample_id)
                yield int(position), sample


def read_parts(store: ObjectStore, parts: Sequence[Part], only: frozenset[str] | None = None) -> Iterator[Sample]:
    """The wanted samples of each tar, in order.

    Args:
        store: where the tars are.
        parts: what is wanted.
        only: of these the samples to read; None reads all. A tar of which none is read is not opened.

    Raises:
        ObjectMissing: a tar is not there.
        CorruptShard: a tar is damaged, or does not hold what its index names.
    """
    wanted = [(part.key, [at for at in part.ids if only is None or at in only]) for part in parts]
    wanted = [(key, ids) for key, ids in wanted if ids]
    for (key, ids), stream in zip(wanted, read_ahead(store, [key for key, _ in wanted]), strict=True):
        found = samples_in(stream, key, frozenset(ids))
        for sample_id in ids:
            sample = next(found, None)
            if sample is None or sample.key != sample_id:
                raise _other(key, sample_id)
            yield sample


def _other(key: str, sample_id: str) -> CorruptShard:
    return CorruptShard(
        f"{key} does not hold sample {sample_id} where its index names it: compare both with the manifest"
    )
