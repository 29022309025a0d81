"""Films that stand twice in an archive, and patients that stand on both sides of its splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.corpora.archives.film import ArchiveFilm
from tasks.curate.near import alike_images

BITS = 16
"""Differing bits of 256 up to which two films are one: in NIH's, a film beside its own reduction to a fifth differs
by at most 4, and two films of one patient by at least 34."""
_ORDER = {"test": 0, "valid": 1, "validate": 1, "validation": 1, "val": 1, "train": 2}
_LAST = 3


@dataclass(frozen=True, slots=True)
class Copy:
    """Row `later` repeats row `earlier` but for `bits` of 256."""

    later: int
    earlier: int
    bits: int


def find_copies(
    films: Sequence[ArchiveFilm], hashes: np.ndarray, spoilt: Sequence[bool], bits: int = BITS
) -> list[Copy]:
    """Films that repeat another, each with the one that stays: a good one, that of the test split, the first.

    Args:
        films: the archive.
        hashes: (n, 32) uint8.
        spoilt: which films a check objects to.
        bits: differing bits up to which two are one.
    """
    rows = range(len(films))
    order = np.array(sorted(rows, key=lambda row: (spoilt[row], _rank(films[row]), row)), np.int64)
    edges = alike_images(hashes[order])
    found: dict[int, Copy] = {}
    for later, earlier, alike in zip(order[edges.later], order[edges.earlier], edges.alike, strict=True):
        if -alike <= bits and int(later) not in found and int(earlier) not in found:
            found[int(later)] = Copy(int(later), int(earlier), int(-alike))
    return list(found.values())


def find_leaks(films: Sequence[ArchiveFilm], rows: Sequence[int]) -> Mapping[int, str]:
    """Rows whose patient has films in a split that is kept apart from theirs, each with that split's name.

    The test split keeps its patients, then the validation split; a film without a patient or a split leaks nothing.
    """
    by_patient: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        film = films[row]
        if film.patient and film.split:
            by_patient[film.patient].append(row)
    leaks: dict[int, str] = {}
    for own in by_patient.values():
        first = min(own, key=lambda row: (_rank(films[row]), films[row].split))
        leaks |= {row: str(films[first].split) for row in own if films[row].split != films[first].split}
    return leaks


def _rank(film: ArchiveFilm) -> int:
    return _ORDER.get((film.split or "").lower(), _LAST)
