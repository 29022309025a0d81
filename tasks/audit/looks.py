"""One pass over an archive, part by part; what was measured before is taken as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from models.judges.view import FilmGate, reduced
from tasks.archives.film import ArchiveFilm, age_in_years, sex_of
from tasks.archives.pixels import Header, read_film
from tasks.audit.kept import KeptParts
from tasks.audit.part import NO_PICTURE, Part, Worst, least, measure, thumbnail

if TYPE_CHECKING:
    from models.judges.vision import VisionJudge

PART = 256  # films: what a kill loses at most
Progress = Callable[[int], None]


@dataclass(slots=True)
class Looks:
    """What was seen. Films that can be read stand in `films`, and rows of the arrays are theirs.

    Args:
        films: with what their DICOM headers add to the archive's tables.
        kinds: kind of file per film, such as ``PNG L``; `sizes` are (height, width).
        scores: (n,) per check, 0 to 1.
        hashes: perceptual hashes (n, 32) uint8.
        answers: P(yes) (n, questions) of a vision-language judge; no column where none was asked.
        unreadable: films that cannot be read, each with the reason.
        worst: per check the films it likes least, the worst first, with their pictures.
        reused: how many films were measured by an earlier run.
    """

    films: list[ArchiveFilm] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    hashes: np.ndarray = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    answers: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    unreadable: list[tuple[ArchiveFilm, str]] = field(default_factory=list)
    worst: dict[str, list[Worst]] = field(default_factory=dict)
    reused: int = 0


def look(
    films: Sequence[ArchiveFilm],
    gates: Sequence[FilmGate],
    kept: KeptParts,
    judge: VisionJudge | None = None,
    workers: int = 1,
    on_film: Progress = lambda _: None,
) -> Looks:
    """Measure `films` in their order, but for the parts of them that are kept.

    Args:
        films: the archive.
        gates: checks of films.
        kept: where each part is kept as soon as it is measured.
        judge: a vision-language model that answers its questions on every film.
        workers: threads that decode.
        on_film: told how many films are done.
    """
    looks, parts, done = Looks(), list[Part](), 0

    def more(count: int) -> None:
        nonlocal done
        done += count
        on_film(done)

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(films), PART):
            some = films[start : start + PART]
            part = kept.load(some)
            if part is None:
                part = measure(some, gates, judge, pool, more)
                _drop_pictures(part, looks.worst)
                kept.save(some, part)
            else:
                looks.reused += len(some)
                more(len(some))
            _add(looks, some, part)
            parts.append(part)
    table = np.concatenate([part.scores for part in parts], 1) if parts else np.zeros((len(gates), 0))
    looks.scores = {gate.name: row for gate, row in zip(gates, table, strict=True)}
    if parts:
        looks.hashes = np.concatenate([part.hashes for part in parts])
        looks.answers = np.concatenate([part.answers for part in parts])
    _draw_pictures(looks)
    return looks


def _add(looks: Looks, films: Sequence[ArchiveFilm], part: Part) -> None:
    read = [film for place, film in enumerate(films) if place not in part.unreadable]
    looks.films += [_with_header(film, header) for film, header in zip(read, part.headers, strict=True)]
    looks.kinds += part.kinds
    looks.sizes += part.sizes
    looks.unreadable += [(films[place], reason) for place, reason in part.unreadable.items()]
    for check, worst in part.worst.items():
        looks.worst[check] = least([*looks.worst.get(check, []), *worst])


def _drop_pictures(part: Part, worst: dict[str, list[Worst]]) -> None:
    """Pictures of films that are not among the worst so far would fill the disk for nothing."""
    for check, each in part.worst.items():
        stay = {id(one) for one in least([*worst.get(check, []), *each])}
        for one in each:
            if id(one) not in stay:
                one.picture = NO_PICTURE


def _draw_pictures(looks: Looks) -> None:
    """Draw what is missing: films that a part held to be better than others which have changed since."""
    paths = {film.film: film.path for film in looks.films}
    for worst in looks.worst.values():
        for one in worst:
            if not one.picture.size:
                one.picture = thumbnail(reduced(read_film(paths[one.film]).pixels))


def _with_header(film: ArchiveFilm, header: Header) -> ArchiveFilm:
    """The film with what its table left open filled from its own header."""
    return replace(
        film,
        patient=film.patient or header.patient,
        study=film.study or header.study,
        view=film.view or header.view,
        sex=film.sex or sex_of(header.sex),
        age=film.age if film.age is not None else age_in_years(header.age),
    )
