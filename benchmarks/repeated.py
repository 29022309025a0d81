"""An archive with repeated films: what the benchmark of canaries trains on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from models.phantom.archive import films as phantom_films
from models.phantom.film import Film
from models.phantom.hospital import HOSPITAL_A
from tasks.privacy.index import clear

SEED = 77  # of an archive that neither the shipped generator nor any judge has seen
HELD_OUT, ORDINARY = "held out", "ordinary"


@dataclass(frozen=True, slots=True)
class Archive:
    """Films (n, H, W) uint8, their IMPRESSIONs, how `often` each is trained on, rows by group, and the most words
    that the report of a canary or a held-out film shares with any other.
    """

    films: np.ndarray
    texts: list[str]
    often: np.ndarray
    groups: dict[str, np.ndarray]
    alike: float


def sound_films(count: int) -> list[Film]:
    """The first films of the archive that show a chest and have no planted defect."""
    films = phantom_films(HOSPITAL_A, SEED, range(10 * count))
    return list(islice((film for film in films if film.defect is None and clear(film.image)), count))


def likeness(texts: Sequence[str]) -> np.ndarray:
    """The largest share of words that each text has in common with any other (Jaccard), (n,)."""
    words = [frozenset(re.findall(r"[a-z]+", text.lower())) for text in texts]
    shared = np.array([[len(one & other) / max(1, len(one | other)) for other in words] for one in words])
    np.fill_diagonal(shared, 0)
    return shared.max(1)


def make_archive(films: Sequence[Film], repeats: Sequence[int], each: int) -> Archive:
    """Deal groups of `each` canaries, and twice as many held-out and ordinary films."""
    rng, texts = np.random.default_rng(SEED), [film.impression_text for film in films]
    alike = likeness(texts)
    rare = np.argsort(alike, kind="stable")[: each * (len(repeats) + 2)]
    dealt, often = rng.permutation(rare), np.ones(len(films), int)
    groups = {HELD_OUT: dealt[: 2 * each]}
    groups |= {f"canary x {times}": dealt[at * each : (at + 1) * each] for at, times in enumerate(repeats, 2)}
    for rows, times in zip(groups.values(), (0, *repeats), strict=True):
        often[rows] = times
    groups[ORDINARY] = rng.choice(np.setdiff1d(np.arange(len(films)), rare), 2 * each, replace=False)
    return Archive(np.stack([film.image for film in films]), texts, often, groups, float(alike[rare].max()))
