"""Measure a batch of films: each is decoded once and given to every gate whose measurement is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from models.contracts import Candidate
from models.gates.film.view import FilmBatch, FilmGate, reduced
from tasks.audit.measurement_cache import Key, MeasurementCache
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.pixels import Film, read_film
from tasks.curate.measure import HASH_SIDE, hash_films

if TYPE_CHECKING:
    from models.gates.film.vision import VisionJudge

BATCH = 32
JUDGE_LONG_EDGE = (
    896  # pixels along the longer edge that a vision-language gate gets: about a thousand tokens of a Qwen-VL
)
HEADER = ("patient", "study", "view", "sex", "age")
Wanted = tuple[ArchiveFilm, Key]
Row = tuple[Key, dict[str, Any]]  # one object, so that a break between two steps leaves no half of it
Read = tuple[Film, np.ndarray]  # the whole film, and the reduced one that checks look at


def check_columns(checks: int) -> dict[str, pa.DataType]:
    """What `checks` checks measure of a film: its kind of file such as ``PNG L``, size, header, perceptual hash, and
    each check's score, 0 to 1, with its reason."""
    facts = {"kind": pa.string(), "height": pa.int32(), "width": pa.int32(), "hash": pa.binary(HASH_SIDE**2 // 8)}
    header = {name: pa.string() for name in HEADER}
    return facts | header | {"scores": pa.list_(pa.float32(), checks), "said": pa.list_(pa.string(), checks)}


def judge_columns(questions: int) -> dict[str, pa.DataType]:
    """The measurements of a vision-language gate: P(yes) of each of its `questions`."""
    return {"answers": pa.list_(pa.float32(), questions)}


@dataclass(frozen=True, slots=True)
class MeasurementConfig:
    """The film gates and the vision-language gate, with the cache of each; `answers` is None without the latter."""

    gates: Sequence[FilmGate]
    checks: MeasurementCache
    judge: VisionJudge | None = None
    answers: MeasurementCache | None = None

    def lacks(self, key: Key) -> bool:
        """Whether something of a film is not kept."""
        return key not in self.checks or (self.answers is not None and key not in self.answers)


def measure_batch(
    wanted: Sequence[Wanted], config: MeasurementConfig, pool: Executor, on_films: Callable[[int], None]
) -> dict[Key, str]:
    """Measure what is lacking of the films, and keep it as one part, also where an error or a key stops it midway.

    Each film is checked by itself: in a batch the last bits of a score depend on the other films.

    Args:
        wanted: films with their keys.
        config: gates, judge and caches.
        pool: decodes.
        on_films: called with how many more are done.

    Returns:
        Films that cannot be read, each with the reason; nothing is kept of these, so another run tries them again.

    Raises:
        AuditError: the part cannot be written.
    """
    unreadable: dict[Key, str] = {}
    checked, answered = list[Row](), list[Row]()
    try:
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]
            good: list[tuple[Key, Read]] = []
            for (_, key), seen in zip(batch, pool.map(_read, [film for film, _ in batch]), strict=True):
                if isinstance(seen, str):
                    unreadable[key] = seen
                else:
                    good.append((key, seen))
            _check(good, config, checked)
            _ask(good, config, answered)
            on_films(len(batch))
    finally:
        config.checks.add(checked)
        if config.answers is not None:
            config.answers.add(answered)
    return unreadable


def _check(good: Sequence[tuple[Key, Read]], config: MeasurementConfig, into: list[Row]) -> None:
    lacking = [(key, seen) for key, seen in good if key not in config.checks]
    hashes = hash_films([small for _, (_, small) in lacking])
    for (key, (film, small)), bits in zip(lacking, hashes, strict=True):
        view = FilmBatch([Candidate(key.film, (), "", "", small)])
        said = [gate.score_batch(view)[0] for gate in config.gates]
        height, width = film.pixels.shape
        row = {"kind": film.kind, "height": height, "width": width, "hash": bits.tobytes()}
        row |= {name: getattr(film.header, name) for name in HEADER}
        into.append((key, row | {"scores": [s.score for s in said], "said": [s.reason for s in said]}))


def _ask(good: Sequence[tuple[Key, Read]], config: MeasurementConfig, into: list[Row]) -> None:
    if config.judge is None or config.answers is None:
        return
    lacking = [(key, film) for key, (film, _) in good if key not in config.answers]
    if lacking:
        chances = config.judge.ask([reduced(film.pixels, JUDGE_LONG_EDGE) for _, film in lacking])
        into += [(key, {"answers": [yes for yes, _ in each]}) for (key, _), each in zip(lacking, chances, strict=True)]


def _read(film: ArchiveFilm) -> Read | str:
    try:
        seen = read_film(film.path)
    except UnreadableFilm as error:
        return str(error)
    return seen, reduced(seen.pixels)
