"""OpenI (Indiana University): an XML file per report with the images it names, or Kaggle's two tables of the same.

MeSH terms are the labels, ``normal`` among them; a term says what is there and never what is not. Images are found by
the XML's ids (``CXR1_1_IM-0001-3001``), with or without their first part, as PNG or DICOM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from tasks.archives.files import ImageFiles
from tasks.archives.film import ArchiveFilm, said
from tasks.archives.openi import read_openi
from tasks.archives.tables import find_tables, need_table, read_rows

REPORTS, PROJECTIONS = "indiana_reports.csv", "indiana_projections.csv"
LOOKS_FOR = f"eCitation XML files, or {REPORTS} and {PROJECTIONS}"


def find(root: Path) -> bool:
    """There is one of Kaggle's tables, or an XML file with OpenI's root element."""
    first = next(_xml_files(root), None)
    return bool(find_tables(root, REPORTS)) or (first is not None and b"<eCitation" in first.read_bytes()[:2000])


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image that a report names; reports without images are counted."""
    images = ImageFiles(root)
    if find_tables(root, REPORTS) or next(_xml_files(root), None) is None:
        yield from _kaggle(root, images)
        return
    views = {
        row["imageid"]: row["tsne-view"]
        for table in find_tables(root, "nlmcxr_tsne*.csv")
        for row in read_rows(table, "imageid", "tsne-view")
    }
    for path in sorted(_xml_files(root)):
        try:
            report = read_openi(path.read_bytes())
        except ValueError:
            notes["XML files that are no report"] += 1
            continue
        notes["reports without an image"] += not report.images
        for name in report.images:
            short = name.partition("_")[2]
            found = images.find(f"{name}.png")
            yield ArchiveFilm(
                name,
                found if found.is_file() else _first(images, f"{short}.dcm", found),
                study=path.stem,
                view=said(views.get(name)),
                labels=dict.fromkeys(base_terms(report.mesh), 1),
                report=report.text if report.findings or report.impression else None,
            )


def base_terms(terms: Iterable[str]) -> list[str]:
    """``Opacity/lung/base/left`` as ``opacity``; each once."""
    bases = (term.partition("/")[0].strip().lower() for term in terms)
    return list(dict.fromkeys(base for base in bases if base))


def _kaggle(root: Path, images: ImageFiles) -> Iterator[ArchiveFilm]:
    need = ("uid", "MeSH", "findings", "impression")
    reports = {row["uid"]: row for row in read_rows(need_table(root, REPORTS), *need)}
    for row in read_rows(need_table(root, PROJECTIONS), "uid", "filename", "projection"):
        told = reports.get(row["uid"], {})
        parts = {name: said(told.get(name)) for name in ("findings", "impression")}
        report = "\n\n".join(f"{name.upper()}: {part}" for name, part in parts.items() if part)
        yield ArchiveFilm(
            row["filename"],
            images.find(row["filename"]),
            study=row["uid"],
            view=said(row["projection"]),
            labels=dict.fromkeys(base_terms(told.get("MeSH", "").split(";")), 1),
            report=report or None,
        )


def _first(images: ImageFiles, name: str, otherwise: Path) -> Path:
    found = images.find(name)
    return found if found.is_file() else otherwise


def _xml_files(root: Path) -> Iterator[Path]:
    return chain(root.glob("*.xml"), root.glob("*/*.xml"), root.glob("*/*/*.xml"))
