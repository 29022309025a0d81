"""Read an arm's pairs from the store and hand them out in reproducible batches."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np

from models.vlp.text import ReportText, Text, split_report, step_text
from tasks.pretrain.arms import Arm
from tasks.pretrain.subset import DatasetSubset, open_subset
from tasks.recipe.schema import TrainSection

if TYPE_CHECKING:
    from storage.objects import ObjectStore

Visit = tuple[int, int, np.ndarray]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The pairs of one arm.

    Args:
        samples: their ids, with the dataset's name in front.
        reports: their texts.
        report_of: which report belongs to which film; the identity, except in a shuffled control.
        films: (n, size, size) uint8 in the order of `samples`, or None where they are too many to hold.
        text: what a step reads of a report.
        stream: films of one epoch straight from the store, as (position, film), used where `films` is None.
    """

    samples: tuple[str, ...]
    reports: tuple[ReportText, ...]
    report_of: np.ndarray
    films: np.ndarray | None
    text: Text = "sentence"
    stream: Callable[[int], Iterator[tuple[int, np.ndarray]]] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's pairs: films (b, size, size) uint8 with one text each."""

    samples: tuple[str, ...]
    films: np.ndarray
    texts: tuple[str, ...]


def load_corpus(store: ObjectStore, arm: Arm, section: TrainSection, seed: int) -> Corpus:
    """Read the texts of `arm`, and its films at the model's size if they fit ``section.cache_megabytes``.

    Raises:
        DatasetMissing, CorruptShard, ObjectMissing: from the store; the message names the object.
        ValueError: a dataset is not the one the arm was planned for, or holds too few pairs, or a film or report
            cannot be read.
    """
    from models.vlp.model import film_size

    size = film_size(section.model)
    subsets = [open_subset(store, draw, seed) for draw in arm.mix]
    samples: list[str] = []
    reports: list[ReportText] = []
    films: list[np.ndarray] = []
    resident = arm.pairs * size * size <= section.cache_megabytes << 20
    for subset in subsets:
        for sample in subset.read():
            samples.append(f"{subset.name}/{sample.key}")
            reports.append(_report(samples[-1], sample.txt))
            if resident:
                films.append(subset.film(sample, size))
    corpus = Corpus(
        tuple(samples), tuple(reports), np.arange(len(samples)), np.stack(films) if resident else None, arm.text
    )
    if arm.control == "shuffled":
        corpus = replace(corpus, report_of=derangement(len(samples), seed))
    return corpus if resident else replace(corpus, stream=_streamed(corpus.samples, subsets, size, seed))


def _report(sample: str, text: str) -> ReportText:
    report = split_report(text)
    if not report:
        raise ValueError(f"sample {sample}: its report holds no sentence; drop it with a selection")
    return report


def _streamed(
    samples: tuple[str, ...], subsets: list[DatasetSubset], size: int, seed: int
) -> Callable[[int], Iterator[tuple[int, np.ndarray]]]:
    position = {sample: at for at, sample in enumerate(samples)}

    def epoch(number: int) -> Iterator[tuple[int, np.ndarray]]:
        """All subsets at once, each in its own shuffled order, in proportion to what they hold."""
        dice = random.Random(f"{seed}/{number}/mix")
        open_ends = [(subset, subset.shuffled(seed, number)) for subset in subsets]
        left = [subset.pairs for subset in subsets]
        while any(left):
            at = dice.choices(range(len(left)), weights=left)[0]
            subset, stream = open_ends[at]
            sample = next(stream)
            left[at] -= 1
            yield position[f"{subset.name}/{sample.key}"], subset.film(sample, size)

    return epoch


def derangement(n: int, seed: int) -> np.ndarray:
    """A permutation of 0..n-1 in one cycle, so that nothing stays where it was."""
    if n < 2:
        raise ValueError(f"cannot shuffle {n} pairs: a control needs at least 2")
    cycle = np.random.default_rng([seed, 0x5EED]).permutation(n)
    moved = np.empty(n, np.int64)
    moved[cycle] = np.roll(cycle, 1)
    return moved


def batches(corpus: Corpus, size: int, seed: int) -> Iterator[Batch]:
    """Batches without end; every pair comes once per epoch, its text drawn anew in each."""
    visits = _visits(corpus, seed)
    while True:
        chunk = list(islice(visits, size))
        yield Batch(
            samples=tuple(corpus.samples[at] for _, at, _ in chunk),
            films=np.stack([film for _, _, film in chunk]),
            texts=tuple(_text(corpus, at, epoch, seed) for epoch, at, _ in chunk),
        )


def _visits(corpus: Corpus, seed: int) -> Iterator[Visit]:
    for epoch in count():
        if corpus.films is not None:
            order = np.random.default_rng([seed, epoch]).permutation(len(corpus.samples))
            yield from ((epoch, int(at), corpus.films[at]) for at in order)
        elif corpus.stream is not None:
            yield from ((epoch, at, film) for at, film in corpus.stream(epoch))


def _text(corpus: Corpus, position: int, epoch: int, seed: int) -> str:
    dice = random.Random(f"{seed}/{epoch}/{corpus.samples[position]}")
    return step_text(corpus.reports[corpus.report_of[position]], corpus.text, dice)
