"""From scores to decisions: which films of an archive are kept, and why the others are not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.gates.ensemble import Calibration, calibrate
from tasks.audit.copies import BITS, Copy, find_copies, find_leaks
from tasks.audit.measurements import FilmMeasurements
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.names import escaped
from tasks.errors import AuditError
from tasks.text_files import TextError, read_text

JUDGE, COPY, LEAK = "vision_judge", "near_duplicate", "patient_in_two_splits"
UNKNOWN = 3  # ids that a message names


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Decisions on the films of `FilmMeasurements`, row by row.

    Args:
        reasons: names of the reasons for dropping each film; a film without any is kept.
        details: what `reasons` leave open, such as the film that is repeated.
        calibration: the scales of the checks and the value under which one objects.
        taken: how many films of the archive were taken as good to calibrate; 0 where the phantom's scales are used.
        copies: films that repeat another.
    """

    reasons: list[list[str]]
    details: list[str]
    calibration: Calibration
    taken: int
    copies: list[Copy]


def decide(
    measurements: FilmMeasurements, calibration: Calibration, taken: int, place: int | None = None, bits: int = BITS
) -> Verdicts:
    """Checks and the vision-language gate first, then copies among all films, then patients in two splits.

    Args:
        measurements: of all readable films.
        calibration: of the checks.
        taken: how many films it was made from.
        place: which of the sorted answers of a judge decides (0 the least, see `VisionJudge`); None without a judge.
        bits: differing bits of a perceptual hash up to which two films are one.
    """
    films = measurements.films
    reasons: list[list[str]] = [[] for _ in films]
    details = [""] * len(films)
    for name, values in zip(calibration.scales, calibration.values(measurements.scores), strict=True):
        for row in np.flatnonzero(~(values >= calibration.limit)):
            reasons[row].append(name)
    if place is not None and len(films):
        for row in np.flatnonzero(np.sort(measurements.answers, 1)[:, place] < 0.5):
            reasons[row].append(JUDGE)
    copies = find_copies(films, measurements.hashes, [bool(own) for own in reasons], bits)
    for copy in copies:
        reasons[copy.later].append(COPY)
        details[copy.later] = f"repeats {films[copy.earlier].film} but for {copy.bits} of 256 bits"
    for row, split in find_leaks(films, [row for row, own in enumerate(reasons) if not own]).items():
        reasons[row].append(LEAK)
        details[row] = f"its patient is in {split} too"
    return Verdicts(reasons, details, calibration, taken, copies)


def calibrate_on(measurements: FilmMeasurements, rows: np.ndarray, false_rejects: float) -> Calibration:
    """A calibration from the films of `rows`, taken as good.

    What is bad among them widens the limits: where that is a larger share than `false_rejects`, most bad films pass.

    Raises:
        AuditError: too few films to estimate a share of `false_rejects`.
    """
    check_enough(len(rows), false_rejects)
    return calibrate({name: scores[rows] for name, scores in measurements.scores.items()}, false_rejects)


def check_enough(good: int, false_rejects: float) -> None:
    """Raises:
    AuditError: `good` films are too few to estimate a share of `false_rejects`.
    """
    if good < 1 / false_rejects:
        raise AuditError(
            f"{good} films are taken as good, and a limit at {false_rejects:.1%} false rejects takes at least "
            f"{int(np.ceil(1 / false_rejects))}: give more with --good or --calibrate, or raise --false-rejects"
        )


def listed(films: Sequence[ArchiveFilm], path: Path) -> frozenset[str]:
    """The ids in the file `path`, one a line, all of them of `films`.

    Raises:
        AuditError: it cannot be read, names no film, or names one that is not among `films`.
    """
    try:
        names = {line.strip(): None for line in read_text(path).splitlines() if line.strip()}
    except TextError as error:
        raise AuditError(f"--good {error}; it is a text file with the id of a film on each line") from error
    if not names:
        raise AuditError(f"--good {path} names no film; it is a text file with the id of a film on each line")
    known = {film.film for film in films}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise AuditError(
            f"--good {path}: {len(unknown)} of {len(names)} ids are of no film of this archive, such as "
            f"{', '.join(map(escaped, unknown[:UNKNOWN]))}; an id looks like {escaped(films[0].film)}"
        )
    return frozenset(names)


def drawn(films: Sequence[ArchiveFilm], share: float) -> np.ndarray:
    """Rows of the `share` of films whose ids hash lowest: the same ones whatever else the archive holds."""
    marks = [int.from_bytes(hashlib.sha256(film.film.encode()).digest()[:8], "big") / 2**64 for film in films]
    return np.flatnonzero(np.array(marks) < share)
