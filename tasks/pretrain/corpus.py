"""An arm's pairs, and the batches in which training sees them.

The global batch of a step is a function of the seed and the step: the same whether images are held in memory or
streamed from the store, whatever the cache's size, and from any step on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from models.vlp.text import ReportText, Text, split_report, step_text
from storage.loader import BLOCK, SampleOrder, SampleStream
from tasks.pretrain.arms import Arm
from tasks.pretrain.images import ImageCache, image_of
from tasks.pretrain.subset import DatasetSubset, open_subset
from tasks.recipe.training import TrainSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore
    from storage.shards import Sample

Placed = tuple[int, np.ndarray]
"""A pair's position in the corpus, and its image."""
Wanted = Callable[[int], bool]
"""Whether the image at a place is read."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Pairs that are learnt from at one time: all of an arm's, or those of one source after another.

    Args:
        first: place in the row of all pairs seen at which the stage begins.
        offset: position in the corpus of its first pair.
        order: of its pairs.
        stream: its images straight from the store, from a place on, those that are wanted; None where they are held
            in memory.
    """

    first: int
    offset: int
    order: SampleOrder
    stream: Callable[[int, Wanted], Iterator[Placed]] | None = None


@dataclass(frozen=True, slots=True)
class Corpus:
    """The pairs of one arm.

    Args:
        samples: their ids, with the dataset's name in front.
        reports: their texts.
        report_of: which report belongs to which image; the identity, except in a shuffled control.
        images: (size, size) uint8 each in the order of `samples`, or None where they are too many to hold.
        text: what a step reads of a report.
        stages: when which of them is learnt from.
    """

    samples: tuple[str, ...]
    reports: tuple[ReportText, ...]
    report_of: np.ndarray
    images: Sequence[np.ndarray] | None
    stages: tuple[Stage, ...]
    text: Text = "sentence"


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's pairs: images (b, size, size) uint8 with one text each; the images may be those of some rows."""

    samples: tuple[str, ...]
    images: np.ndarray
    texts: tuple[str, ...]


def load_corpus(
    store: ObjectStore, arm: Arm, section: TrainSection, seed: int, cache: ImageCache | None = None
) -> Corpus:
    """Take the texts of `arm` from the indices, and its images at the model's size if they fit the cache.

    Args:
        store: where the datasets are.
        arm: what to learn from.
        section: which model, and how much memory a cache of its own may take.
        seed: decides which pairs are drawn, their order, and the shuffle of a control.
        cache: shared with other arms.

    Raises:
        DatasetMissing, CorruptShard, ObjectMissing: from the store; the message names the object.
        ValueError: a dataset is not the one the arm was planned for, or holds too few pairs, or an image or report
            cannot be read.
    """
    from models.vlp.model import film_size

    size = film_size(section.model)
    subsets = [open_subset(store, draw, seed) for draw in arm.mix]
    samples = tuple(f"{subset.name}/{sample}" for subset in subsets for sample in subset.ids)
    texts = (text for subset in subsets for text in subset.texts)
    reports = tuple(_report(sample, text) for sample, text in zip(samples, texts, strict=True))
    shuffled = arm.control == "shuffled"
    report_of = derangement(len(samples), seed) if shuffled else np.arange(len(samples))
    images = (cache or ImageCache(section.cache_megabytes)).images(subsets, size)
    streaming = None if images is not None else _Streaming(store, size, section.loader_workers)
    stages = tuple(_stages(arm, subsets, seed, streaming))
    return Corpus(samples, reports, report_of, images, stages, arm.text)


def _report(sample: str, text: str) -> ReportText:
    report = split_report(text)
    if not report:
        raise ValueError(f"sample {sample}: its report holds no sentence; drop it with a selection")
    return report


@dataclass(frozen=True, slots=True)
class _Streaming:
    """How images that are not held in memory are read: from where, at which size, decoded by how many threads."""

    store: ObjectStore
    size: int
    workers: int


def _stages(arm: Arm, subsets: Sequence[DatasetSubset], seed: int, streaming: _Streaming | None) -> Iterator[Stage]:
    """The stages of an arm; without `streaming` its images are held in memory."""
    together = [list(subsets)] if arm.schedule == "mix" else [[subset] for subset in subsets]
    offset = 0
    for part in together:
        order = SampleOrder([[len(tar.ids) for tar in subset.parts] for subset in part], seed, BLOCK)
        stream = None if streaming is None else _stream(streaming, part, order, offset)
        yield Stage(arm.samples_seen * offset // max(1, arm.pairs), offset, order, stream)
        offset += len(order)


def _stream(
    streaming: _Streaming, subsets: Sequence[DatasetSubset], order: SampleOrder, offset: int
) -> Callable[[int, Wanted], Iterator[Placed]]:
    where = " and ".join(subset.name for subset in subsets)

    def decode(sample: Sample) -> np.ndarray:
        return image_of(sample, where, streaming.size)

    parts = [subset.parts for subset in subsets]
    stream = SampleStream(streaming.store, parts, order, decode, workers=streaming.workers)
    return lambda first, wanted: ((offset + position, image) for position, image in stream.start_at(first, wanted))


def derangement(n: int, seed: int) -> np.ndarray:
    """A permutation of 0..n-1 in one cycle, so that nothing stays where it was."""
    if n < 2:
        raise ValueError(f"cannot shuffle {n} pairs: a control needs at least 2")
    cycle = np.random.default_rng([seed, 0x5EED]).permutation(n)
    moved = np.empty(n, np.int64)
    moved[cycle] = np.roll(cycle, 1)
    return moved


@dataclass(slots=True)
class Batches:
    """The batches of a corpus by step; every pair comes once per epoch, its text drawn anew in each.

    Args:
        corpus: whose.
        size: pairs in a batch, over all processes.
        seed: decides, with the step, which pairs and which texts.
        rows: of each batch, whose images are read; the ids and texts are always those of the whole batch.
    """

    corpus: Corpus
    size: int
    seed: int
    rows: slice = field(default_factory=lambda: slice(None))
    _next: int = -1
    _running: Iterator[Placed] = field(default_factory=lambda: iter(()))

    def at(self, step: int) -> Batch:
        """The batch of `step`; where images are streamed, steps in their order are cheap and others read anew."""
        corpus, first = self.corpus, step * self.size
        visits = [self._visit(at) for at in range(first, first + self.size)]
        positions = [position for _, position in visits]
        return Batch(
            samples=tuple(corpus.samples[position] for position in positions),
            images=np.stack(self._images(first, positions[self.rows])),
            texts=tuple(self._text(epoch, position) for epoch, position in visits),
        )

    def texts(self, step: int) -> tuple[str, ...]:
        """The texts of the batch of `step`; no image is read."""
        first = step * self.size
        return tuple(self._text(*self._visit(at)) for at in range(first, first + self.size))

    def _stage(self, place: int) -> Stage:
        return next(stage for stage in reversed(self.corpus.stages) if stage.first <= place)

    def _visit(self, place: int) -> tuple[int, int]:
        """Epoch and position of the pair at a place in the row of all pairs seen."""
        stage = self._stage(place)
        ((epoch, position),) = stage.order.visits(place - stage.first, 1)
        return epoch, stage.offset + position

    def _images(self, first: int, positions: Sequence[int]) -> list[np.ndarray]:
        if self.corpus.images is not None:
            return [self.corpus.images[position] for position in positions]
        if self._next != first:
            self._running = self._from(first)
        self._next = first + self.size
        found = list(islice(self._running, len(positions)))
        if [position for position, _ in found] != list(positions):
            raise AssertionError(f"the stream and the order disagree at pair {first}")
        return [image for _, image in found]

    def _from(self, first: int) -> Iterator[Placed]:
        """Images of the own rows from a place on, stage after stage."""
        stages, mine = self.corpus.stages, frozenset(range(self.size)[self.rows])
        for stage, after in zip(stages, (*stages[1:], None), strict=True):
            end = after.first if after is not None else None
            if (end is not None and end <= first) or stage.stream is None:
                continue
            begin, start = max(first, stage.first), stage.first

            def wanted(place: int, start: int = start) -> bool:
                return (start + place) % self.size in mine

            images = stage.stream(begin - start, wanted)
            yield from images if end is None else islice(images, sum(wanted(at - start) for at in range(begin, end)))

    def _text(self, epoch: int, position: int) -> str:
        corpus = self.corpus
        rng = random.Random(f"{self.seed}/{epoch}/{corpus.samples[position]}")
        return step_text(corpus.reports[corpus.report_of[position]], corpus.text, rng)


def batches(corpus: Corpus, size: int, seed: int) -> Iterator[Batch]:
    """Batches without end, from the first step on."""
    made = Batches(corpus, size, seed)
    return (made.at(step) for step in count())
