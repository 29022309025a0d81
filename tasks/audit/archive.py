"""`synth audit archive`: what an archive of real films is worth, and an index of what is worth keeping."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.contracts import ProgressCallback
from models.findings.chest_recogniser import SpanRecogniser
from models.gates.ensemble import FILE, Calibration, load_calibration, members
from models.gates.film.view import FilmGate
from models.nets.shipped import SHIPPED
from tasks.audit.copies import BITS
from tasks.audit.entities import counts_by_type, write_entities
from tasks.audit.measure_batch import JUDGE_LONG_EDGE, MeasurementConfig, check_columns, judge_columns
from tasks.audit.measurement_cache import MeasurementCache
from tasks.audit.measurements import FilmMeasurements, measure_films
from tasks.audit.tail import Tail, tail_of
from tasks.audit.verdicts import Verdicts, calibrate_on, check_enough, decide, drawn, listed
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.files import LeftOut, left_out, located, stem_of
from tasks.corpora.archives.film import ArchiveFilm, label_counts
from tasks.corpora.archives.layouts.folder import REPORT_ENDS
from tasks.corpora.archives.registry import AUTO, FOLDER, Archive, open_archive
from tasks.corpora.mentions import Bank, mine
from tasks.corpora.reports import Report
from tasks.errors import AuditError

if TYPE_CHECKING:
    from models.gates.film.vision import VisionJudge

CACHE_FOLDER = "measurements"
MEASUREMENT_REVISION = 3
"""Raise it when a gate, the decoding of a film or the wording of a question changes what is measured."""
LISTING_STEP = 5000


@dataclass(frozen=True, slots=True)
class Settings:
    """How an archive is audited.

    Args:
        layout: one of `tasks.corpora.archives.registry.LAYOUTS`, or ``auto``.
        good: a file with the ids of films that are good, one a line, to find the checks' limits on.
        calibrate: share of the archive that is taken as good instead, unseen. Without either the limits are those of
            the phantom hospital.
        false_rejects: share of those good films that may fall.
        bits: differing bits of a perceptual hash of 256 up to which two films are one.
        workers: threads that decode.
    """

    layout: str = AUTO
    good: Path | None = None
    calibrate: float | None = None
    false_rejects: float = 0.01
    bits: int = BITS
    workers: int = 1


@dataclass(frozen=True, slots=True)
class ArchiveAudit:
    """What was found.

    Args:
        archive: with the notes that reading its tables left.
        settings: as asked.
        measurements: every film that can be read, and those that cannot.
        verdicts: what is kept, and why not.
        bank: entities of its reports; None where it has none in English.
        counts: mentions by type of entity, or films by finding where there are no reports, falling.
        tails: their shape.
        judge: the model and rule of the vision-language gate; empty without one.
        questions: its questions.
        left_out: files of its folder that are none of its films.
    """

    archive: Archive
    settings: Settings
    measurements: FilmMeasurements
    verdicts: Verdicts
    bank: Bank | None
    counts: dict[str, list[int]]
    tails: dict[str, Tail]
    judge: str = ""
    questions: tuple[str, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def kept(self) -> int:
        """How many films have no reason to be dropped."""
        return sum(not reasons for reasons in self.verdicts.reasons)


def audit_archive(
    root: Path,
    folder: Path,
    settings: Settings,
    recogniser: SpanRecogniser,
    judge: VisionJudge | None = None,
    on_progress: ProgressCallback = lambda *_: None,
) -> ArchiveAudit:
    """Measure every film of `root` and decide which are worth keeping.

    What is measured of films is kept in ``measurements/`` of `folder`, so a run that was broken off goes on from
    there, and one with other limits or another rule measures nothing again. Reports in English also give
    ``entities/``, as `audit_entities` writes it.

    Args:
        root: the archive.
        folder: made where it is missing; files of these names in it are replaced.
        settings: see there.
        recogniser: finds entities in its reports.
        judge: a vision-language gate; its rule decides with the checks.
        on_progress: called with the stage, and how many of how many films are done.

    Raises:
        ArchiveError: no archive, another layout, a missing table or column.
        AuditError: no film of it can be read, what is taken as good is unknown or too little, or `folder` cannot be
            written.
        AuditStopped: Ctrl-C while films are measured.
    """
    archive = open_archive(root, settings.layout)
    films = list(_unique(archive, on_progress))
    others = _files_left_out(archive, films)
    if not films:
        raise ArchiveError(f"{archive.no_film()}{f'; left out: {others}' if others.counts else ''}")
    good = _good(films, settings)
    _make_folder(folder)
    gates = members(load_calibration(SHIPPED / FILE).scales, {})
    config = measurement_config(folder / CACHE_FOLDER, gates, judge)

    def on_films(done: int, reused: int) -> None:
        on_progress(f"films, {reused} measured before" if reused else "films", done, len(films))

    measurements = measure_films(films, config, settings.workers, on_films)
    if not measurements.films:
        raise AuditError(f"none of the {len(films)} films of {root} can be read; {measurements.unreadable[0][1]}")
    calibration, taken = _calibration(measurements, settings, good, archive.notes)
    verdicts = decide(measurements, calibration, taken, judge.place if judge else None, settings.bits)
    reports = list(_reports(films)) if archive.english else []
    bank = mine(_report_progress(reports, on_progress), recogniser) if reports else None
    if bank is not None and bank.entities:
        counts, tails = counts_by_type(bank), write_entities(bank, folder / "entities", [])
    else:
        bank = None
        found = sorted(label_counts(films).values(), reverse=True)
        counts = {"findings": found} if found else {}
        tails = {name: tail_of(values) for name, values in counts.items()}
    asked = (f"{judge.model}, rule {judge.rule}", judge.questions) if judge else ("", ())
    return ArchiveAudit(archive, settings, measurements, verdicts, bank, counts, tails, *asked, left_out=others)


def measurement_config(folder: Path, gates: Sequence[FilmGate], judge: VisionJudge | None) -> MeasurementConfig:
    """The checks and the vision-language gate, each with a cache in `folder` of its own, so that a change of one keeps
    the other's."""
    version = f"measuring {MEASUREMENT_REVISION}"
    nets = [
        f"{path.name}@{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        for path in sorted(SHIPPED.iterdir())
        if path.name != FILE  # limits
    ]
    checks = MeasurementCache(
        folder, "checks", [version, *(gate.name for gate in gates), *nets], check_columns(len(gates))
    )
    if judge is None:
        return MeasurementConfig(gates, checks)
    asked = [version, judge.revision, f"side {judge.side} of {JUDGE_LONG_EDGE}", *judge.questions]
    return MeasurementConfig(
        gates, checks, judge, MeasurementCache(folder, "judge", asked, judge_columns(len(judge.questions)))
    )


def _good(films: Sequence[ArchiveFilm], settings: Settings) -> frozenset[str] | None:
    """Ids of the films that are taken as good; None where the limits are the phantom hospital's.

    Raises:
        AuditError: both ways to choose good films are given, or the films are unknown or too
            few; all before any is measured.
    """
    if settings.good is not None and settings.calibrate is not None:
        raise AuditError("--good names the films that limits are found on, --calibrate draws them: give one of them")
    if settings.good is not None:
        good = listed(films, settings.good)
    elif settings.calibrate is not None:
        good = frozenset(films[row].film for row in drawn(films, settings.calibrate))
    else:
        return None
    check_enough(len(good), settings.false_rejects)
    return good


def _calibration(
    measurements: FilmMeasurements, settings: Settings, good: frozenset[str] | None, notes: Counter[str]
) -> tuple[Calibration, int]:
    """The limits that `settings` ask for, and from how many films of the archive they are."""
    if good is None:
        return load_calibration(SHIPPED / FILE), 0
    rows = np.flatnonzero([film.film in good for film in measurements.films])
    notes["films taken as good that cannot be read"] += len(good) - len(rows)
    return calibrate_on(measurements, rows, settings.false_rejects), len(rows)


def _files_left_out(archive: Archive, films: Sequence[ArchiveFilm]) -> LeftOut:
    """What lies in the archive's folder beside its films and their reports."""
    plain = archive.layout == FOLDER
    used = {str(film.path) for film in films}
    if plain:
        used |= {stem_of(str(film.path)) + end for film in films if film.report for end in REPORT_ENDS}
    return left_out(archive.root, used, texts=plain)


def _make_folder(folder: Path) -> None:
    """Make the folder of the audit.

    Raises:
        AuditError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AuditError(
            f"--out {folder} cannot be written: {error.strerror or error}; name another folder"
        ) from error


def _unique(archive: Archive, on_progress: ProgressCallback) -> Iterator[ArchiveFilm]:
    seen: set[str] = set()
    for film in located(archive.films()):
        if film.film in seen:
            archive.notes["rows that repeat a film"] += 1
            continue
        seen.add(film.film)
        yield film
        if len(seen) % LISTING_STEP == 0:
            on_progress("listed", len(seen), len(seen) + 1)  # how many there are is known at the end alone


def _reports(films: Iterable[ArchiveFilm]) -> Iterator[Report]:
    """Each report once, however many films share it."""
    seen: set[tuple[str, str]] = set()
    for film in films:
        key = (film.study or film.film, film.report or "")
        if film.report and key not in seen:
            seen.add(key)
            yield Report(key[0], film.report)


def _report_progress(reports: list[Report], on_progress: ProgressCallback) -> Iterator[Report]:
    for done, report in enumerate(reports, start=1):
        yield report
        if done % 100 == 0 or done == len(reports):
            on_progress("reports", done, len(reports))
