"""The films of the phantom hospitals, for code that compares, checks or indexes films of any source."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from models.phantom.archive import films, render_many, sampled
from models.phantom.case import draw_case, labels_of
from models.phantom.hospital import HOSPITALS
from models.phantom.vocabulary import LABELS

HOSPITAL_NAMES: tuple[str, ...] = tuple(HOSPITALS)
FINDINGS: tuple[str, ...] = LABELS
"""Every finding of a phantom hospital."""


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """A film (H, W) uint8, and 1 or 0 for every finding."""

    pixels: np.ndarray
    labels: dict[str, int]


def sound_films(hospital: str, seed: int, count: int, side: int) -> Iterator[LabelledImage]:
    """The first `count` films of an archive that have no defect, `side` pixels wide.

    Raises:
        KeyError: there is no such hospital.
    """
    chosen = HOSPITALS[hospital]
    sound = (at for at in itertools.count() if draw_case(chosen, seed, at).defect is None)
    for film in films(chosen, seed, itertools.islice(sound, count), side):
        yield LabelledImage(film.image, dict(zip(LABELS, map(int, film.labels), strict=True)))


def rendered(hospital: str, seed: int, indices: Sequence[int], workers: int = 1) -> np.ndarray:
    """Films (n, size, size) uint8 of an archive, by index.

    Raises:
        KeyError: there is no such hospital.
    """
    return render_many(HOSPITALS[hospital], seed, indices, workers=workers)[0]


def findings_shown(hospital: str, seed: int, count: int) -> Iterator[list[str]]:
    """What each film of a random sample of an archive shows; no film is drawn.

    Raises:
        KeyError: there is no such hospital.
    """
    return (labels_of(HOSPITALS[hospital], seed, index) for index in sampled(seed, count))
