"""One pass over an archive, part by part; what was measured before is taken as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import pyarrow as pa

from models.judges.view import reduced
from tasks.archives.errors import UnreadableFilm
from tasks.archives.film import ArchiveFilm, age_in_years, sex_of
from tasks.archives.pixels import read_film
from tasks.audit.errors import AuditStopped
from tasks.audit.kept import Key, key_of
from tasks.audit.part import HEADER, Measures, measure

PART = 256  # films: what a kill loses at most
WORST, THUMBNAIL = 8, 96
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Worst:
    """A film that a check likes little, what the check said, and a picture (THUMBNAIL, THUMBNAIL)."""

    score: float
    film: str
    reason: str
    picture: np.ndarray


@dataclass(frozen=True, slots=True)
class Looks:
    """What was seen. Films that can be read stand in `films`, and rows of the arrays are theirs.

    Args:
        films: with what their DICOM headers add to the archive's tables.
        kinds: kind of file per film, such as ``PNG L``; `sizes` are (height, width).
        scores: (n,) float32 per check, 0 to 1.
        hashes: perceptual hashes (n, 32) uint8.
        answers: P(yes) (n, questions) float32 of a vision-language judge; no column where none was asked.
        unreadable: films that cannot be read, each with the reason.
        worst: per check the films it likes least, the worst first, with their pictures.
        reused: how many films an earlier run had measured.
    """

    films: list[ArchiveFilm]
    kinds: list[str]
    sizes: list[tuple[int, int]]
    scores: dict[str, np.ndarray]
    hashes: np.ndarray
    answers: np.ndarray
    unreadable: list[tuple[ArchiveFilm, str]]
    worst: dict[str, list[Worst]] = field(default_factory=dict)
    reused: int = 0


def look(
    films: Sequence[ArchiveFilm], measures: Measures, workers: int = 1, on_films: Progress = lambda *_: None
) -> Looks:
    """Measure `films` but for what is kept of them.

    Args:
        films: the archive.
        measures: what looks at them, and what it saw before.
        workers: threads that decode.
        on_films: told how many films are done, and how many of these an earlier run had measured.

    Raises:
        AuditStopped: Ctrl-C; what was measured is kept.
        AuditError: a part cannot be written.
    """
    with ThreadPoolExecutor(workers) as pool:
        # a slice at a time: each task of a pool takes memory until it is done
        slices = (films[at : at + PART] for at in range(0, len(films), PART))
        keys = [key for some in slices for key in pool.map(key_of, some)]
        lacking = [(film, key) for film, key in zip(films, keys, strict=True) if measures.lack(key)]
        done = reused = len(films) - len(lacking)
        on_films(done, reused)

        def more(count: int) -> None:
            nonlocal done
            done += count
            on_films(done, reused)

        unreadable: dict[Key, str] = {}
        try:
            for at in range(0, len(lacking), PART):
                unreadable |= measure(lacking[at : at + PART], measures, pool, more)
        except KeyboardInterrupt:
            raise AuditStopped(sum(not measures.lack(key) for key in keys), len(films)) from None
        looks, said = _gathered(films, keys, unreadable, measures)
        looks.worst.update(_worst(looks, said, pool))
    return replace(looks, reused=reused)


def _gathered(
    films: Sequence[ArchiveFilm], keys: Sequence[Key], unreadable: dict[Key, str], measures: Measures
) -> tuple[Looks, pa.ChunkedArray]:
    """What is kept of the films in their order, and what the checks said of those that can be read."""
    lost = [(film, unreadable[key]) for film, key in zip(films, keys, strict=True) if key in unreadable]
    read = [(film, key) for film, key in zip(films, keys, strict=True) if key not in unreadable]
    seen = [key for _, key in read]
    table = measures.checks.take(seen)
    scores = _floats(table.column("scores"), len(measures.gates))
    answers = np.zeros((len(read), 0), np.float32)
    if measures.answers is not None and measures.judge is not None:
        answers = _floats(measures.answers.take(seen).column("answers"), len(measures.judge.questions))
    headers = table.select(HEADER).to_pylist()
    looks = Looks(
        films=[_with_header(film, header) for (film, _), header in zip(read, headers, strict=True)],
        kinds=table.column("kind").to_pylist(),
        sizes=list(zip(table.column("height").to_pylist(), table.column("width").to_pylist(), strict=True)),
        scores={gate.name: row for gate, row in zip(measures.gates, scores.T, strict=True)},
        hashes=np.frombuffer(b"".join(table.column("hash").to_pylist()), np.uint8).reshape(-1, 32),
        answers=answers,
        unreadable=lost,
    )
    return looks, table.column("said")


def _floats(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """A column of lists as (n, width)."""
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, width)


def _worst(looks: Looks, said: pa.ChunkedArray, pool: Executor) -> dict[str, list[Worst]]:
    """The films that each check likes least; of equals those that come first."""
    rows = {name: np.argsort(scores, kind="stable")[:WORST] for name, scores in looks.scores.items()}
    shown = sorted({int(row) for each in rows.values() for row in each})
    pictures = dict(zip(shown, pool.map(_thumbnail, [looks.films[row] for row in shown]), strict=True))
    return {
        name: [
            Worst(float(looks.scores[name][row]), looks.films[row].film, said[row].as_py()[check], pictures[row])
            for row in map(int, rows[name])
        ]
        for check, name in enumerate(rows)
    }


def _thumbnail(film: ArchiveFilm) -> np.ndarray:
    """The film as a picture; white where its file went while the audit ran."""
    try:
        small = reduced(read_film(film.path).pixels)
    except UnreadableFilm:
        return np.full((THUMBNAIL, THUMBNAIL), 255, np.uint8)
    return cv2.resize(small, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)


def _with_header(film: ArchiveFilm, header: dict[str, str | None]) -> ArchiveFilm:
    """The film with what its table left open filled from its own header."""
    return replace(
        film,
        patient=film.patient or header["patient"],
        study=film.study or header["study"],
        view=film.view or header["view"],
        sex=film.sex or sex_of(header["sex"]),
        age=film.age if film.age is not None else age_in_years(header["age"]),
    )
