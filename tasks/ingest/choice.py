"""Which films of an archive are ingested, and a fingerprint of their rows in its tables."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.canonical import canonical_json
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.files import located
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.registry import Archive
from tasks.plan.seeds import digest_bits
from tasks.recipe.sources import SourceSection

_PART_BITS = 64
_SHOWN = 8
_NO_GOOD_FILMS = (
    "an audit without --good or --calibrate takes the phantom's limits, which no real film passes: run synth audit "
    "archive again with --good FILE, films that someone looked at, or list the films to keep in a column film"
)
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")


@dataclass(frozen=True, slots=True)
class FilmChoice:
    """Which films are taken; None takes all.

    Args:
        split: as the archive names it.
        views, sexes: as the archive writes them, in upper case.
        part: from and to in percent of patients, by a hash of their ids, so that a patient is in one part alone. A
            film whose tables tell no patient counts by its study, and without that by its own id.
        kept: ids of films, from a cleaned index.
    """

    split: str | None = None
    views: frozenset[str] | None = None
    sexes: frozenset[str] | None = None
    part: tuple[int, int] | None = None
    kept: frozenset[str] | None = None

    def left_out(self, film: ArchiveFilm) -> str | None:
        """Why a film is not taken, by its facts in the tables; None where it is. A missing fact refuses none."""
        if self.kept is not None and film.film not in self.kept:
            return "not kept by the index"
        if self.split is not None and film.split != self.split:
            return "of another split"
        if self.part is not None and not self.part[0] <= share_of(film) < self.part[1]:
            return "of another part"
        return self.not_where(film)

    def not_where(self, film: ArchiveFilm) -> str | None:
        """Why a film is not taken for its view or the patient's sex; None where it is, or they are not known."""
        if self.views is not None and film.view is not None and film.view.upper() not in self.views:
            return "of another view"
        if self.sexes is not None and film.sex is not None and film.sex not in self.sexes:
            return "of another sex"
        return None


@dataclass(slots=True)
class Listing:
    """What an archive's tables say: how many films are taken, why others are not, and the fingerprint of it all.

    `reports` counts films with a report. `splits` and `views` count all films, `taken_splits` those that are taken.
    """

    taken: int = 0
    reports: int = 0
    sha256: str = ""
    left_out: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    taken_splits: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)


def choice_of(section: SourceSection) -> FilmChoice:
    """The films that a source asks for.

    Raises:
        ArchiveError: the cleaned index cannot be read, or keeps nothing.
    """
    where = {name: frozenset(value.upper() for value in values) for name, values in section.where.items()}
    return FilmChoice(
        split=section.split,
        views=where.get("view"),
        sexes=where.get("sex"),
        part=section.percent,
        kept=read_kept(Path(section.keep)) if section.keep else None,
    )


def share_of(film: ArchiveFilm) -> float:
    """Where a film's patient stands among all, 0 to 100, by a hash of the id; else its study, else the film."""
    return 100 * digest_bits("part", film.patient or film.study or film.film, bits=_PART_BITS) / 2**_PART_BITS


def chosen(archive: Archive, choice: FilmChoice) -> Iterator[ArchiveFilm]:
    """The films of an archive that are taken, each where it lies, in the order of its tables."""
    return located(film for film in archive.films() if choice.left_out(film) is None)


def list_films(archive: Archive, choice: FilmChoice) -> Iterator[Listing]:
    """Read an archive's tables once and touch no pixel; the listing grows, and is whole when it was given last.

    Raises:
        ArchiveError: a table or column is missing, or no film is taken; the message lists what there is.
    """
    found, digest = Listing(), hashlib.sha256()

    def taken() -> Iterator[ArchiveFilm]:
        for film in archive.films():
            found.splits[film.split or "none"] += 1
            found.views[film.view or "not given"] += 1
            why = choice.left_out(film)
            if why is None:
                yield film
            else:
                found.left_out[why] += 1

    for film in located(taken()):
        digest.update(canonical_json(_facts(film)).encode())
        found.taken += 1
        found.reports += film.report is not None
        found.taken_splits[film.split or "none"] += 1
        if found.taken % 1000 == 0:
            yield found
    if not found.taken:
        raise _nothing(archive, choice, found)
    found.sha256 = digest.hexdigest()
    yield found


def read_kept(path: Path) -> frozenset[str]:
    """Ids of the films that a cleaned index keeps: a Parquet or CSV file with ``film``, and ``kept`` where it has one.

    Raises:
        ArchiveError: no such file, another kind of file, a column is missing, or nothing is kept.
    """
    try:
        rows = list(_index_rows(path))
    except OSError as error:
        raise ArchiveError(f"--keep {path}: {error.strerror or error}") from error
    except (pa.ArrowException, UnicodeDecodeError, csv.Error, ValueError) as error:
        why = " ".join(str(error).split())
        raise ArchiveError(
            f"--keep {path} is no cleaned index ({why}): take what synth audit archive wrote"
        ) from error
    kept = frozenset(film for film, is_kept in rows if is_kept)
    if not kept:
        raise ArchiveError(f"--keep {path} keeps none of its {len(rows)} films; {_NO_GOOD_FILMS}")
    return kept


def _index_rows(path: Path) -> Iterator[tuple[str, bool]]:
    if path.suffix.lower() == ".parquet":
        with pq.ParquetFile(path) as file:
            names = [name for name in ("film", "kept") if name in file.schema_arrow.names]
            _need_film(names)
            for batch in file.iter_batches(columns=names):
                kept = batch.column("kept").to_pylist() if "kept" in names else [True] * len(batch)
                yield from zip(map(str, batch.column("film").to_pylist()), map(bool, kept), strict=True)
        return
    with path.open(newline="", encoding="utf-8-sig") as text:
        rows = csv.DictReader(text)
        _need_film(rows.fieldnames or ())
        for row in rows:
            yield row["film"], _is_kept(row.get("kept"))


def _need_film(names: Any) -> None:
    if "film" not in names:
        raise ValueError("it has no column film")


def _is_kept(cell: str | None) -> bool:
    word = "true" if cell is None else cell.strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError(f"the column kept holds {cell!r}, which is neither true nor false")
    return word in _YES


def _facts(film: ArchiveFilm) -> list[Any]:
    """All that decides a film's row and pixels, but for the bytes of its file, of which the size stands here."""
    try:
        size = film.path.stat().st_size
    except (OSError, ValueError):
        size = -1
    boxes = [
        [box.finding, box.x, box.y, box.width, box.height, *([box.phrase] if box.phrase else [])] for box in film.boxes
    ]
    masks = [[mask.finding, mask.width, mask.height, *mask.runs] for mask in film.masks]
    facts = (film.film, film.patient, film.study, film.view, film.sex, film.age, film.split, film.labelled_by)
    return [*facts, dict(film.labels), film.report, boxes, masks, size]


def _nothing(archive: Archive, choice: FilmChoice, found: Listing) -> ArchiveError:
    """Why no film is taken, with what there would be."""
    if not found.left_out:
        return archive.no_film()
    why = ", ".join(f"{count} {why}" for why, count in found.left_out.most_common())
    told = [f"{archive.root}: no film is taken ({why})"]
    if choice.split is not None:
        told.append(f"splits there: {_listed(found.splits)}")
    if choice.views is not None:
        told.append(f"views there: {_listed(found.views)}")
    if choice.kept is not None:
        told.append("the index must be that of an audit of this archive, with the same layout")
    return ArchiveError("; ".join(told))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(_SHOWN))
