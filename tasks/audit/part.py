"""Some films of an archive: each is decoded once, and every check looks at it then."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from models.contracts import Candidate
from models.judges.view import FilmGate, Films, reduced
from tasks.archives.errors import UnreadableFilm
from tasks.archives.film import ArchiveFilm
from tasks.archives.pixels import Film, Header, read_film
from tasks.curate.measure import hash_films

if TYPE_CHECKING:
    from models.judges.vision import VisionJudge

BATCH = 32
JUDGED = 896  # pixels along the longer edge that a judge sees: about a thousand tokens of a Qwen-VL
WORST, THUMBNAIL = 8, 96
NO_PICTURE = np.zeros((0, 0), np.uint8)
Read = tuple[Film, np.ndarray]  # the whole film, and the reduced one that checks look at


@dataclass(slots=True)
class Worst:
    """A film that a check likes little, what the check said, and a picture (THUMBNAIL, THUMBNAIL) or none (0, 0)."""

    score: float
    film: str
    reason: str
    picture: np.ndarray = field(default_factory=lambda: NO_PICTURE)


@dataclass(slots=True)
class Part:
    """What was measured of n films, of which m can be read; nothing here depends on a limit or a rule.

    Args:
        unreadable: place among the n films to the reason.
        headers, kinds, sizes: of the m films in order; kinds of file such as ``PNG L``, sizes (height, width).
        scores: (checks, m), 0 to 1.
        hashes: perceptual hashes (m, 32) uint8.
        answers: P(yes) (m, questions) of a vision-language judge; no column where none was asked.
        worst: per check the films it likes least, the worst first.
    """

    unreadable: dict[int, str] = field(default_factory=dict)
    headers: list[Header] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    scores: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    hashes: np.ndarray = field(default_factory=lambda: np.zeros((0, 32), np.uint8))
    answers: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    worst: dict[str, list[Worst]] = field(default_factory=dict)


def measure(
    films: Sequence[ArchiveFilm],
    gates: Sequence[FilmGate],
    judge: VisionJudge | None,
    pool: Executor,
    on_films: Callable[[int], None],
) -> Part:
    """Decode and judge `films`; what cannot be read is put down with its reason.

    Checks look at films of at most 256 pixels a side, as they would make them themselves; the judge at larger ones.

    Args:
        films: some films of an archive.
        gates: checks of films.
        judge: a vision-language model that answers its questions on every film.
        pool: decodes.
        on_films: told how many more are done.
    """
    part = Part()
    scores = [np.zeros((len(gates), 0), np.float32)]
    hashes, answers = [part.hashes], [np.zeros((0, len(judge.questions) if judge else 0), np.float32)]
    for start in range(0, len(films), BATCH):
        batch = films[start : start + BATCH]
        good: list[tuple[ArchiveFilm, Read]] = []
        for place, (film, seen) in enumerate(zip(batch, pool.map(_read, batch), strict=True), start=start):
            if isinstance(seen, str):
                part.unreadable[place] = seen
            else:
                good.append((film, seen))
        if good:
            scores.append(_look_at(part, good, gates))
            hashes.append(hash_films([small for _, (_, small) in good]))
        if good and judge is not None:
            chances = judge.ask([reduced(film.pixels, JUDGED) for _, (film, _) in good])
            answers.append(np.array([[yes for yes, _ in each] for each in chances], np.float32))
        on_films(len(batch))
    part.scores, part.hashes, part.answers = np.concatenate(scores, 1), np.concatenate(hashes), np.concatenate(answers)
    return part


def least(worst: Sequence[Worst]) -> list[Worst]:
    """The films that a check likes least; of equals those that came first."""
    return heapq.nsmallest(WORST, worst, key=lambda each: each.score)


def thumbnail(film: np.ndarray) -> np.ndarray:
    """The film as a picture (THUMBNAIL, THUMBNAIL)."""
    return cv2.resize(film, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)


def _look_at(part: Part, good: Sequence[tuple[ArchiveFilm, Read]], gates: Sequence[FilmGate]) -> np.ndarray:
    """Scores (gates, n) of films that were read; their facts and the worst of them go into `part`."""
    part.headers += [seen.header for _, (seen, _) in good]
    part.kinds += [seen.kind for _, (seen, _) in good]
    part.sizes += [(seen.pixels.shape[0], seen.pixels.shape[1]) for _, (seen, _) in good]
    view = Films([Candidate(film.film, (), "", "", small) for film, (_, small) in good])
    columns = []
    for gate in gates:
        said = gate.judge(view)
        columns.append([each.score for each in said])
        each = [Worst(s.score, film.film, s.reason) for s, (film, _) in zip(said, good, strict=True)]
        part.worst[gate.name] = least([*part.worst.get(gate.name, []), *each])
    small = {film.film: seen for film, (_, seen) in good}
    for worst in part.worst.values():
        for one in worst:
            if one.film in small:
                one.picture = thumbnail(small[one.film])
    return np.array(columns, np.float32)


def _read(film: ArchiveFilm) -> Read | str:
    try:
        seen = read_film(film.path)
    except UnreadableFilm as error:
        return str(error)
    return seen, reduced(seen.pixels)
