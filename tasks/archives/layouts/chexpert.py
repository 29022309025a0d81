"""CheXpert: ``train.csv`` and ``valid.csv``, the test set's labels by image or by study, and tables cut from them.

Paths in the tables start with the name of the release they were written for; what counts begins at the split.
Uncertain labels stay -1: which way they should fall depends on the finding and is the user's choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from tasks.archives.errors import ArchiveError
from tasks.archives.film import ArchiveFilm, age_in_years, mark_of, said, sex_of
from tasks.archives.tables import find_tables, header_of, need_table, read_rows

OBSERVATIONS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture",
    "Support Devices",
)  # fmt: skip
TABLES = (
    "train.csv", "valid.csv", "val.csv", "test.csv", "test_labels.csv", "val_labels.csv", "groundtruth.csv",
    "chexpert*.csv",
)  # fmt: skip
LOOKS_FOR = "train.csv, valid.csv, test_labels.csv or groundtruth.csv with the columns Path or Study, and Cardiomegaly"
_SPLITS = ("train", "valid", "val", "test")


def find(root: Path) -> bool:
    """There is a table with a column of paths or studies and CheXpert's observations."""
    return any(
        {"Path", "Study"} & set(names) and OBSERVATIONS[1] in names
        for names in map(header_of, find_tables(root, *TABLES))
    )


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image that a table names; a row that speaks of a study speaks of each of its images."""
    need_table(root, *TABLES)
    for table in find_tables(root, *TABLES):
        bases = {split: _base(root, table.parent, split) for split in _SPLITS}
        for row in read_rows(table, "Path|Study", *OBSERVATIONS[1:2]):
            place = _from_split(row.get("Path") or row["Study"], table)
            base = bases[place.parts[0]]
            for path in [base / place] if "Path" in row else _images_of(base, place, notes):
                inner = path.relative_to(base)
                yield _film(path, inner, row, table)


def _film(path: Path, inner: Path, row: Mapping[str, str], table: Path) -> ArchiveFilm:
    age = age_in_years(row.get("Age"))
    return ArchiveFilm(
        inner.as_posix(),
        path if inner.parts[0] != "valid" or path.is_file() else path.parents[3] / Path("val", *inner.parts[1:]),
        patient=inner.parts[1],
        study="/".join(inner.parts[1:3]),
        view=_view(row, inner.name),
        sex=sex_of(row.get("Sex")),
        age=age or None,  # all patients are adults: 0 stands for one whose age is not known
        labels=marks(row, table),
        report=said(row.get("Report Impression")),
        split="valid" if inner.parts[0] == "val" else inner.parts[0],
    )


def marks(row: Mapping[str, str], table: Path, names: tuple[str, ...] = OBSERVATIONS) -> dict[str, int]:
    """The observations of a row that are not blank.

    Raises:
        ArchiveError: a cell is no label.
    """
    found: dict[str, int] = {}
    for name in names:
        try:
            mark = mark_of(row.get(name))
        except ValueError as error:
            raise ArchiveError(f"{table}, column {name}: {error}") from error
        if mark is not None:
            found[name] = mark
    return found


def _from_split(text: str, table: Path) -> PurePosixPath:
    parts = PurePosixPath(text).parts
    start = next((at for at, part in enumerate(parts) if part in _SPLITS), None)
    if start is None or len(parts) < start + 3 or ".." in parts:
        raise ArchiveError(
            f"{table}: {text!r} is no path of CheXpert, such as train/patient00001/study1/view1_frontal.jpg"
        )
    return PurePosixPath(*parts[start:])


def _base(root: Path, beside: Path, split: str) -> Path:
    other = {"valid": "val", "val": "valid"}.get(split, split)
    return next((base for base in (beside, root) if (base / split).is_dir() or (base / other).is_dir()), beside)


def _images_of(base: Path, study: PurePosixPath, notes: Counter[str]) -> list[Path]:
    found = sorted((base / study).glob("view*.jpg"))
    notes["studies without an image"] += not found
    return found or [base / study / "view1_frontal.jpg"]


def _view(row: Mapping[str, str], name: str) -> str | None:
    side = (row.get("Frontal/Lateral") or ("Lateral" if "lateral" in name else "Frontal")).upper()
    return said(row.get("AP/PA")) or side
