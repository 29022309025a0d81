"""MIMIC-CXR and MIMIC-CXR-JPG: ``mimic-cxr-2.*-metadata.csv.gz`` and its fellows, ``files/p10/p10000032/s50414267/``.

One report belongs to all images of a study. Its body is the last FINDINGS and the last IMPRESSION, by MIT-LCP's rule;
``mimic_cxr_sectioned.csv`` is taken where the text files are not there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from models.encoders.sections import last
from tasks.archives.film import ArchiveFilm, said
from tasks.archives.layouts.chexpert import OBSERVATIONS, marks
from tasks.archives.tables import find_tables, need_table, read_rows

LOOKS_FOR = "mimic-cxr-*-metadata.csv"
_ENDS = (".jpg", ".dcm", ".png")


def find(root: Path) -> bool:
    """There is a table of metadata."""
    return bool(find_tables(root, LOOKS_FOR))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image of the table of metadata."""
    metadata = need_table(root, LOOKS_FOR)
    files = next((base / "files" for base in (metadata.parent, root) if (base / "files").is_dir()), root / "files")
    splits, labels, sectioned = _splits(root), _labels(root), _sectioned(root)
    texts = [files, *(base / "files" for base in sorted(root.glob("*reports*")))]
    known: tuple[str, str | None] = ("", None)
    for row in read_rows(metadata, "dicom_id", "subject_id", "study_id"):
        patient, study = row["subject_id"].removeprefix("p"), row["study_id"].removeprefix("s")
        folder = f"p{patient[:2]}/p{patient}"
        if known[0] != study:
            report = _report(texts, f"{folder}/s{study}.txt") or sectioned.get(study)
            notes["studies without a report"] += report is None
            known = (study, report)
        place = files / folder / f"s{study}"
        paths = [place / f"{row['dicom_id']}{end}" for end in _ENDS]
        yield ArchiveFilm(
            row["dicom_id"],
            next((path for path in paths if path.is_file()), paths[0]),
            patient=patient,
            study=study,
            view=said(row.get("ViewPosition")),
            labels=labels.get(study, {}),
            report=known[1],
            split=splits.get(row["dicom_id"]),
        )


def body_of(text: str) -> str | None:
    """The last FINDINGS and the last IMPRESSION of a report under their headings, else its last paragraph."""
    told = [part for name in ("findings", "impression") if (part := last(text, name))]
    paragraphs = [part for part in text.split("\n\n") if part.strip()]
    return "\n\n".join(told) or (" ".join(paragraphs[-1].split()) if paragraphs else None)


def _report(folders: list[Path], name: str) -> str | None:
    for folder in folders:
        if (folder / name).is_file():
            return body_of((folder / name).read_text(encoding="utf-8", errors="replace"))
    return None


def _splits(root: Path) -> dict[str, str]:
    tables = find_tables(root, "mimic-cxr-*-split.csv")
    return {row["dicom_id"]: row["split"] for table in tables for row in read_rows(table, "dicom_id", "split")}


def _labels(root: Path) -> dict[str, dict[str, int]]:
    """By study; CheXpert's labeller where it is there, else NegBio's."""
    tables = find_tables(root, "mimic-cxr-*-chexpert.csv") or find_tables(root, "mimic-cxr-*-negbio.csv")
    return {
        row["study_id"].removeprefix("s"): marks(row, table)
        for table in tables
        for row in read_rows(table, "study_id", *OBSERVATIONS)
    }


def _sectioned(root: Path) -> dict[str, str]:
    found = {}
    for table in find_tables(root, "mimic_cxr_sectioned.csv"):
        for row in read_rows(table, "study", "findings", "impression"):
            parts = {name: said(row[name]) for name in ("findings", "impression")}
            told = "\n\n".join(f"{name.upper()}: {part}" for name, part in parts.items() if part)
            text = told or said(row.get("last_paragraph"))
            if text:
                found[row["study"].removeprefix("s")] = text
    return found
