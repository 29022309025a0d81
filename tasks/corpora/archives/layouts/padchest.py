"""PadChest: ``PADCHEST_*.csv``, 16-bit PNG files in numbered folders; reports are stemmed Spanish.

``exclude``, ``unchanged`` and ``suboptimal study`` are labels like any other. Labels by physicians are worth more than
those of the network, so `labelled_by` keeps them apart.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.corpora.archives.files import ImageFiles
from tasks.corpora.archives.film import OLDEST, ArchiveFilm, number, said, sex_of
from tasks.corpora.archives.joins import id_of
from tasks.corpora.archives.tables import find_tables, need_table, read_rows

LOOKS_FOR = "PADCHEST*.csv"
READS = (LOOKS_FOR,)
NEED = ("ImageID", "PatientID", "Labels", "Projection")
_FACTS = ("StudyID", "PatientSex_DICOM", "PatientBirth", "StudyDate_DICOM", "Report", "MethodLabel")
_NUMPY = re.compile(r"(?<=['\"])\s+(?=['\"])")  # how an array is printed: without commas


def find(root: Path) -> bool:
    """There is its table."""
    return bool(find_tables(root, LOOKS_FOR))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every row; one whose labels cannot be read has none, and is counted."""
    images = ImageFiles(root)
    for row in read_rows(need_table(root, LOOKS_FOR), *NEED, also=_FACTS, notes=notes):
        labels = labels_of(row["Labels"])
        notes["rows whose labels cannot be read"] += labels is None
        yield ArchiveFilm(
            row["ImageID"],
            images.find(row["ImageID"]),
            patient=id_of(row["PatientID"]) or None,
            study=id_of(row.get("StudyID")) or None,
            view=said(row["Projection"]),
            sex=sex_of(row.get("PatientSex_DICOM")),
            age=_age(row),
            labels=dict.fromkeys(labels or (), 1),
            report=said(row.get("Report")),
            labelled_by=said(row.get("MethodLabel")),
        )


def labels_of(cell: str) -> list[str] | None:
    """The labels in a list as Python or NumPy writes it, each stripped; None where it is no such list."""
    try:
        found = ast.literal_eval(_NUMPY.sub(", ", cell))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(found, list):
        return None
    names = (name.strip() for name in found if isinstance(name, str))
    return list(dict.fromkeys(name for name in names if name))


def _age(row: Mapping[str, str]) -> float | None:
    birth, date = number(row.get("PatientBirth")), number(row.get("StudyDate_DICOM"))
    years = date // 10000 - birth if birth is not None and date is not None else -1
    return years if 0 <= years <= OLDEST else None
