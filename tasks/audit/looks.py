"""One pass over an archive: each film is decoded once, and every check looks at it then."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

import cv2
import numpy as np

from models.contracts import Candidate
from models.judges.view import FilmGate, Films, reduced
from tasks.archives.errors import UnreadableFilm
from tasks.archives.film import ArchiveFilm, age_in_years, sex_of
from tasks.archives.pixels import Film, Header, read_film
from tasks.curate.measure import hash_films

if TYPE_CHECKING:
    from models.judges.vision import VisionJudge

BATCH = 32
JUDGED = 896  # pixels along the longer edge that a judge sees: about a thousand tokens of a Qwen-VL
Read = tuple[Film, np.ndarray]  # the whole film, and the reduced one that checks look at
WORST, THUMBNAIL = 8, 96
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Worst:
    """A film that a check likes little: its `score`, what the check said, and a picture (THUMBNAIL, THUMBNAIL)."""

    score: float
    film: str
    reason: str
    picture: np.ndarray


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
        worst: per check the films it likes least, the worst first.
    """

    films: list[ArchiveFilm] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    scores: dict[str, np.ndarray] = field(default_factory=dict)
    hashes: np.ndarray = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    answers: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    unreadable: list[tuple[ArchiveFilm, str]] = field(default_factory=list)
    worst: dict[str, list[Worst]] = field(default_factory=dict)


def look(
    films: Iterable[ArchiveFilm],
    gates: Sequence[FilmGate],
    judge: VisionJudge | None = None,
    workers: int = 1,
    on_film: Progress = lambda _: None,
) -> Looks:
    """Decode and judge `films` in their order; what cannot be read is put down with its reason.

    Checks look at films of at most 256 pixels a side, as they would make them themselves; the judge at larger ones.

    Args:
        films: the archive.
        gates: checks of films.
        judge: a vision-language model that answers its questions on every film.
        workers: threads that decode.
        on_film: told how many films are done.
    """
    looks = Looks()
    scores: list[np.ndarray] = []
    hashes: list[np.ndarray] = []
    answers: list[np.ndarray] = []
    done = 0
    with ThreadPoolExecutor(workers) as pool:
        for batch in _batches(films):
            read = list(pool.map(_read, batch))
            looks.unreadable += [(film, seen) for film, seen in zip(batch, read, strict=True) if isinstance(seen, str)]
            good = [(film, seen) for film, seen in zip(batch, read, strict=True) if not isinstance(seen, str)]
            if good:
                scores.append(_look_at(looks, good, gates))
                hashes.append(hash_films([small for _, (_, small) in good]))
                if judge is not None:
                    chances = judge.ask([reduced(film.pixels, JUDGED) for _, (film, _) in good])
                    answers.append(np.array([[yes for yes, _ in each] for each in chances], np.float32))
            done += len(batch)
            on_film(done)
    table = np.concatenate(scores, 1) if scores else np.zeros((len(gates), 0))
    looks.scores = {gate.name: row for gate, row in zip(gates, table, strict=True)}
    looks.hashes = np.concatenate(hashes) if hashes else looks.hashes
    looks.answers = np.concatenate(answers) if answers else np.zeros((len(looks.films), 0), np.float32)
    return looks


def _look_at(looks: Looks, good: Sequence[tuple[ArchiveFilm, Read]], gates: Sequence[FilmGate]) -> np.ndarray:
    """Scores (gates, n) of films that were read; their facts and the worst of them go into `looks`."""
    looks.films += [_with_header(film, seen.header) for film, (seen, _) in good]
    looks.kinds += [seen.kind for _, (seen, _) in good]
    looks.sizes += [(seen.pixels.shape[0], seen.pixels.shape[1]) for _, (seen, _) in good]
    names = [film.film for film, _ in good]
    view = Films([Candidate(film.film, (), "", "", small) for film, (_, small) in good])
    columns = []
    for gate in gates:
        said = gate.judge(view)
        columns.append([each.score for each in said])
        ranked = heapq.nsmallest(WORST, range(len(said)), key=lambda at: said[at].score)
        new = [Worst(said[at].score, names[at], said[at].reason, _thumbnail(good[at][1][1])) for at in ranked]
        looks.worst[gate.name] = heapq.nsmallest(
            WORST, [*looks.worst.get(gate.name, []), *new], key=lambda each: each.score
        )
    return np.array(columns, np.float32)


def _read(film: ArchiveFilm) -> Read | str:
    try:
        seen = read_film(film.path)
    except UnreadableFilm as error:
        return str(error)
    return seen, reduced(seen.pixels)


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


def _thumbnail(film: np.ndarray) -> np.ndarray:
    return cv2.resize(film, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)


def _batches(films: Iterable[ArchiveFilm]) -> Iterator[list[ArchiveFilm]]:
    stream = iter(films)
    while batch := list(islice(stream, BATCH)):
        yield batch
