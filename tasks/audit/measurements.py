"""One pass over an archive, part by part; what was measured before is taken as it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from models.gates.film.view import reduced
from tasks.audit.measure_batch import HEADER, MeasurementConfig, measure_batch
from tasks.audit.measurement_cache import Key, key_of
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.film import ArchiveFilm, age_in_years, sex_of
from tasks.corpora.archives.pixels import read_film
from tasks.errors import AuditStopped

PART = 256  # films: what a kill loses at most
WORST, THUMBNAIL = 8, 96


@dataclass(frozen=True, slots=True)
class WorstFilm:
    """A film that a check likes little, what the check said, and a picture (THUMBNAIL, THUMBNAIL)."""

    score: float
    film: str
    reason: str
    picture: np.ndarray


@dataclass(frozen=True, slots=True)
class FilmMeasurements:
    """What was seen. Films that can be read stand in `films`, and rows of the arrays are theirs.

    Args:
        films: with what their DICOM headers add to the archive's tables.
        kinds: kind of file per film, such as ``PNG L``; `sizes` are (height, width).
        scores: (n,) float32 per check, 0 to 1.
        hashes: perceptual hashes (n, 32) uint8.
        answers: P(yes) (n, questions) float32 of a vision-language gate; no column without one.
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
    worst: dict[str, list[WorstFilm]] = field(default_factory=dict)
    reused: int = 0


def measure_films(
    films: Sequence[ArchiveFilm],
    config: MeasurementConfig,
    workers: int = 1,
    on_films: Callable[[int, int], None] = lambda *_: None,
) -> FilmMeasurements:
    """Measure `films` but for what is kept of them.

    Args:
        films: the archive.
        config: gates, judge and caches.
        workers: threads that decode.
        on_films: called with how many films are done, and how many of these an earlier run had measured.

    Raises:
        AuditStopped: Ctrl-C; what was measured is kept.
        AuditError: a part cannot be written.
    """
    with ThreadPoolExecutor(workers) as pool:
        # a slice at a time: each task of a pool takes memory until it is done
        slices = (films[at : at + PART] for at in range(0, len(films), PART))
        keys = [key for some in slices for key in pool.map(key_of, some)]
        lacking = [(film, key) for film, key in zip(films, keys, strict=True) if config.lacks(key)]
        done = reused = len(films) - len(lacking)
        on_films(done, reused)

        def more(count: int) -> None:
            nonlocal done
            done += count
            on_films(done, reused)

        unreadable: dict[Key, str] = {}
        try:
            for at in range(0, len(lacking), PART):
                unreadable |= measure_batch(lacking[at : at + PART], config, pool, more)
        except KeyboardInterrupt:
            raise AuditStopped(sum(not config.lacks(key) for key in keys), len(films)) from None
        measurements, said = _collect(films, keys, unreadable, config)
        measurements.worst.update(_worst(measurements, said, pool))
    return replace(measurements, reused=reused)


def _collect(
    films: Sequence[ArchiveFilm], keys: Sequence[Key], unreadable: dict[Key, str], config: MeasurementConfig
) -> tuple[FilmMeasurements, pa.ChunkedArray]:
    """What is kept of the films in their order, and what the checks said of those that can be read."""
    lost = [(film, unreadable[key]) for film, key in zip(films, keys, strict=True) if key in unreadable]
    read = [(film, key) for film, key in zip(films, keys, strict=True) if key not in unreadable]
    seen = [key for _, key in read]
    table = config.checks.take(seen)
    scores = _floats(table.column("scores"), len(config.gates))
    answers = np.zeros((len(read), 0), np.float32)
    if config.answers is not None and config.judge is not None:
        answers = _floats(config.answers.take(seen).column("answers"), len(config.judge.questions))
    headers = table.select(HEADER).to_pylist()
    kinds, heights, widths, hashes = (_values(table, name) for name in ("kind", "height", "width", "hash"))
    measurements = FilmMeasurements(
        films=[_fill_from_header(film, header) for (film, _), header in zip(read, headers, strict=True)],
        kinds=kinds,
        sizes=list(zip(heights, widths, strict=True)),
        scores={gate.name: row for gate, row in zip(config.gates, scores.T, strict=True)},
        hashes=np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32),
        answers=answers,
        unreadable=lost,
    )
    return measurements, table.column("said")


def _values(table: pa.Table, name: str) -> list[Any]:
    return table.column(name).to_pylist()


def _floats(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """A column of lists as (n, width)."""
    lists: Any = column.combine_chunks()
    return lists.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)


def _worst(measurements: FilmMeasurements, said: pa.ChunkedArray, pool: Executor) -> dict[str, list[WorstFilm]]:
    """The films that each check likes least; of equals those that come first."""
    rows = {name: np.argsort(scores, kind="stable")[:WORST] for name, scores in measurements.scores.items()}
    shown = sorted({int(row) for each in rows.values() for row in each})
    pictures = dict(zip(shown, pool.map(_thumbnail, [measurements.films[row] for row in shown]), strict=True))
    return {
        name: [
            WorstFilm(
                float(measurements.scores[name][row]),
                measurements.films[row].film,
                said[row].as_py()[check],
                pictures[row],
            )
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


def _fill_from_header(film: ArchiveFilm, header: dict[str, str | None]) -> ArchiveFilm:
    """The film with what its table left open filled from its own header."""
    return replace(
        film,
        patient=film.patient or header["patient"],
        study=film.study or header["study"],
        view=film.view or header["view"],
        sex=film.sex or sex_of(header["sex"]),
        age=film.age if film.age is not None else age_in_years(header["age"]),
    )
