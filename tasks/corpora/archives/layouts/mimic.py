"""MIMIC-CXR and MIMIC-CXR-JPG: ``mimic-cxr-2.*-metadata.csv.gz`` and its fellows, ``files/p10/p10000032/s50414267/``.

Where there is no table of metadata, as in MIMIC-CXR, ``cxr-record-list.csv.gz`` names the films. One report belongs to
all images of a study. Its body is the last FINDINGS and the last IMPRESSION, by MIT-LCP's rule;
``mimic_cxr_sectioned.csv`` is taken where the text files are not there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from models.findings.sections import body, last, without_titles
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import ArchiveFilm, said
from tasks.corpora.archives.joins import Rounding, Side, id_of, study_of
from tasks.corpora.archives.layouts.chexpert import OBSERVATIONS, marks
from tasks.corpora.archives.tables import Row, find_tables, need_table, read_rows
from tasks.text_files import TextError, read_text

METADATA, RECORDS = "mimic-cxr-*-metadata.csv", "cxr-record-list.csv"
LOOKS_FOR = f"{METADATA} or {RECORDS}"
NEED = ("dicom_id", "subject_id", "study_id")
_SPLIT, _SECTIONED = "mimic-cxr-*-split.csv", "mimic_cxr_sectioned.csv"
_LABELS = ("mimic-cxr-*-chexpert.csv", "mimic-cxr-*-negbio.csv")  # the first that is there
READS = (METADATA, RECORDS, "cxr-study-list.csv", _SPLIT, _SECTIONED, *_LABELS)
MOST = 1 << 22  # characters of a report
_ENDS = (".jpg", ".dcm", ".png")


def find(root: Path) -> bool:
    """There is a table of metadata or the list of records."""
    return bool(find_tables(root, METADATA, RECORDS))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image of the table of metadata."""
    main = need_table(root, METADATA) if find_tables(root, METADATA) else need_table(root, METADATA, RECORDS)
    files = next((base / "files" for base in (main.parent, root) if (base / "files").is_dir()), root / "files")
    splits, labels, sectioned = _splits(root, notes), _labels(root, notes), _sectioned(root, notes)
    reports = _Reports([files, *(base / "files" for base in sorted(root.glob("*reports*")))], notes)
    studies, rows = Rounding(), 0
    known: tuple[str, str | None] = ("", None)
    for row in read_rows(main, *NEED, also=("ViewPosition",), notes=notes):
        studies.see(row["study_id"])
        rows += 1
        film, patient, study = id_of(row["dicom_id"]), id_of(row["subject_id"], "p"), study_of(row["study_id"])
        place = Path(f"p{patient[:2]}/p{patient}/s{study}")
        if known[0] != study:
            report = reports.of(place) or sectioned.of(study)
            notes["studies without a report"] += report is None
            known = (study, report)
        paths = [files / place / f"{film}{end}" for end in _ENDS]
        yield ArchiveFilm(
            film,
            next((path for path in paths if path.is_file()), paths[0]),
            patient=patient,
            study=study,
            view=said(row.get("ViewPosition")),
            labels=labels.of(study) or {},
            report=known[1],
            split=splits.of(film),
        )
    studies.check(f"{main}, column study_id", rows)
    for side, column in ((splits, "dicom_id"), (labels, "study_id"), (sectioned, "study_id")):
        side.close(main, column, notes)
    reports.close(main)


def body_of(text: str) -> str | None:
    """The last FINDINGS and the last IMPRESSION of a report under their headings, else its last paragraph.

    Text before the title FINAL REPORT, such as a wet read, counts only where nothing follows that title.
    """
    final = body(text)
    found = [part for name in ("findings", "impression") if (part := last(final, name))]
    paragraphs = [part for part in without_titles(final).split("\n\n") if re.search(r"\w", part)]
    return "\n\n".join(found) or (" ".join(paragraphs[-1].split()) if paragraphs else None)


class _Reports:
    """Text files of reports, in folders like those of the films."""

    def __init__(self, folders: list[Path], notes: Counter[str]) -> None:
        self._folders, self._notes = folders, notes
        self._found = 0
        self._lost: Path | None = None

    def of(self, study: Path) -> str | None:
        """The body of a study's report; None where it has none that can be read."""
        for folder in self._folders:
            path = folder / study.with_suffix(".txt")
            if path.is_file():
                self._found += 1
                try:
                    return body_of(re.sub(r"\r\n?", "\n", read_text(path, most=MOST)))
                except TextError as error:
                    self._notes[f"reports that cannot be read ({error})"] += 1
                    return None
        self._lost = self._lost or study
        return None

    def close(self, main: Path) -> None:
        """Raises:
        ArchiveError: not one report was found, yet there are text files beside the first study.
        """
        if self._found or self._lost is None:
            return
        beside = (path for folder in self._folders for path in sorted((folder / self._lost.parent).glob("*.*")))
        other = next((path for path in beside if path.suffix.lower() == ".txt"), None)
        if other is not None:
            raise ArchiveError(
                f"{other}: no study of {main}, column study_id, has a report of this name; that of its first one is "
                f"called {self._lost.name}.txt"
            )


def _splits(root: Path, notes: Counter[str]) -> Side[str | None]:
    side = Side[str | None]("a split", "dicom_id")
    for table in find_tables(root, _SPLIT):
        for row in read_rows(table, "dicom_id", "split", notes=notes):
            side.add(row, said(row["split"]))
    return side


def _labels(root: Path, notes: Counter[str]) -> Side[dict[str, int]]:
    """By study; CheXpert's labeller where it is there, else NegBio's."""
    side = Side[dict[str, int]]("labels", "study_id", study_of)
    for table in next(filter(None, (find_tables(root, pattern) for pattern in _LABELS)), []):
        for row in read_rows(table, "study_id", *OBSERVATIONS, notes=notes):
            side.add(row, marks(row, f"study {row['study_id']}"))
    return side


def _sectioned(root: Path, notes: Counter[str]) -> Side[str | None]:
    side = Side[str | None]("reports", "study", study_of)
    for table in find_tables(root, _SECTIONED):
        for row in read_rows(table, "study", "findings", "impression", also=("last_paragraph",), notes=notes):
            side.add(row, _sections_of(row))
    return side


def _sections_of(row: Row) -> str | None:
    parts = {name: said(row[name]) for name in ("findings", "impression")}
    report = "\n\n".join(f"{name.upper()}: {part}" for name, part in parts.items() if part)
    return report or said(row.get("last_paragraph"))
