"""CheXpert: ``train.csv`` and ``valid.csv``, the test set's labels by image or by study, and tables cut from them.

Paths in the tables start with the name of the release they were written for; what counts begins at the split. On disk
the release comes in batches, some without a folder for the split, so films are found by their patient's folder.
CheXpert Plus has its reports in ``df_chexpert_plus_240401.csv`` and its labels in JSON lines beside it.
Uncertain labels stay -1: which way they should fall depends on the finding and is the user's choice.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import ArchiveFilm, age_in_years, said, sex_of
from tasks.corpora.archives.joins import Side
from tasks.corpora.archives.json_rows import read_json_rows
from tasks.corpora.archives.labels import labels_in
from tasks.corpora.archives.patients import PATIENT, Patients
from tasks.corpora.archives.tables import Row, find_tables, header_of, lacking, need_table, read_rows

OBSERVATIONS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
    "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other", "Fracture",
    "Support Devices",
)  # fmt: skip
TABLES = (
    "train.csv", "valid.csv", "val.csv", "test.csv", "test_labels.csv", "val_labels.csv", "groundtruth.csv",
    "chexpert*.csv", "df_chexpert_plus*.csv",
)  # fmt: skip
PLUS_LABELS = ("report_fixed.json", "impression_fixed.json", "findings_fixed.json")  # the first that is there
READS = (*TABLES, *PLUS_LABELS)
NEED = ("Path|Study|path_to_image", "Cardiomegaly|section_impression")
LOOKS_FOR = (
    "train.csv, valid.csv, test_labels.csv, groundtruth.csv or df_chexpert_plus*.csv with the columns Path, Study or "
    "path_to_image, and Cardiomegaly or section_impression"
)
_FACTS = (
    "Sex", "Age", "Frontal/Lateral|frontal_lateral", "AP/PA|ap_pa", "Report Impression", "section_findings", "split",
)  # fmt: skip
_BATCH = re.compile(r"chexpert.* batch \d", re.IGNORECASE)
_SPLITS = ("train", "valid", "val", "test")


def find(root: Path) -> bool:
    """There is a table with a column of paths or studies, and with observations or sections of reports."""
    return any(not lacking(names, NEED) for names in map(header_of, find_tables(root, *TABLES)))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image that a table names; a row on a study applies to each of its images."""
    main = need_table(root, *TABLES)
    tables = [table for table in find_tables(root, *TABLES) if not lacking(header_of(table), NEED)]
    patients, plus = Patients(root), _plus_labels(root)
    for table in sorted(tables, key=lambda path: path.name.startswith("df_")) or [main]:
        for row in read_rows(table, *NEED, also=(*OBSERVATIONS, *_FACTS), notes=notes):
            place = _place_of(row)
            whole = _is_study(row)
            paths = patients.images(place) if whole else [patients.image(place)]
            notes["studies without an image"] += not paths
            for path in paths or [root / place / "view1_frontal.jpg"]:
                inner = place / path.name if whole else place
                more = (plus.of(inner.as_posix()) or {}) if row.get("path_to_image") else {}
                yield _film(path, inner, row, more)
    plus.close(main, "path_to_image", notes)
    if _BATCH.match(root.name):
        beside = [path for path in root.parent.iterdir() if _BATCH.match(path.name) and path != root]
        notes["batches beside this folder, which are read where their common folder is given"] += len(beside)


def marks(row: Row, film: str) -> dict[str, int]:
    """The observations of a row that are not blank.

    Raises:
        ArchiveError: a cell is no label.
    """
    return labels_in(row, OBSERVATIONS, film)


def _film(path: Path, inner: PurePosixPath, row: Row, more: Mapping[str, int]) -> ArchiveFilm:
    age = age_in_years(row.get("Age"))
    split = inner.parts[0] if inner.parts[0] in _SPLITS else said(row.get("split"))
    patient, study = inner.parts[-3], "/".join(inner.parts[-3:-1])
    return ArchiveFilm(
        inner.as_posix(),
        path,
        patient=patient,
        study=study,
        view=_view(row, inner.name),
        sex=sex_of(row.get("Sex")),
        age=age or None,  # all patients are adults: 0 stands for one whose age is not known
        labels={**more, **marks(row, inner.as_posix())},
        report=_report(row),
        split="valid" if split == "val" else split,
    )


def _report(row: Row) -> str | None:
    parts = {name: said(row.get(f"section_{name}")) for name in ("findings", "impression")}
    report = "\n\n".join(f"{name.upper()}: {part}" for name, part in parts.items() if part)
    return report or said(row.get("Report Impression"))


def _is_study(row: Row) -> bool:
    return not row.get("Path") and not row.get("path_to_image")


def _place_of(row: Row) -> PurePosixPath:
    """Split, patient, study and, but for the row of a study, image."""
    text = next((row[name] for name in ("Path", "path_to_image", "Study") if row.get(name)), "")
    parts = PurePosixPath(text.replace("\\", "/")).parts
    at = next((at for at, part in enumerate(parts) if PATIENT.fullmatch(part)), len(parts))
    if len(parts) - at < (2 if _is_study(row) else 3) or ".." in parts:
        raise ArchiveError(
            f"{row.where}: {text!r} is no path of CheXpert, such as train/patient00001/study1/view1_frontal.jpg"
        )
    return PurePosixPath(*parts[at - 1 if at and parts[at - 1] in _SPLITS else at :])


def _plus_labels(root: Path) -> Side[dict[str, int]]:
    """CheXpert Plus's labels of the whole report; where that file is missing, of its impression or findings."""
    side = Side[dict[str, int]]("labels", "path_to_image", _image_key)
    table = next((path for name in PLUS_LABELS for path in find_tables(root, name)), None)
    for row in read_json_rows(table, "path_to_image") if table else ():
        side.add(row, marks(row, row["path_to_image"]))
    return side


def _image_key(text: str) -> str:
    """A film's path from its patient on, without the ending of its image."""
    found = re.search(rf"{PATIENT.pattern}/.*", text.replace("\\", "/"))
    return re.sub(r"\.\w+$", "", found[0]) if found else text


def _view(row: Row, name: str) -> str | None:
    side = row.get("Frontal/Lateral") or row.get("frontal_lateral") or ("Lateral" if "lateral" in name else "Frontal")
    return said(row.get("AP/PA")) or said(row.get("ap_pa")) or side.upper()
