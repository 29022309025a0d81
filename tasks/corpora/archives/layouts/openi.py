"""OpenI (Indiana University): an XML file per report with the images it names, or Kaggle's two tables of the same.

MeSH terms are the labels, ``normal`` among them; a term states a finding and never denies one. Images are found by
the XML's ids (``CXR1_1_IM-0001-3001``), with or without their first part, as PNG or DICOM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from tasks.corpora.archives.files import ImageFiles
from tasks.corpora.archives.film import ArchiveFilm, said
from tasks.corpora.archives.joins import Side, id_of, image_of
from tasks.corpora.archives.openi import read_openi
from tasks.corpora.archives.tables import find_tables, need_table, read_rows

REPORTS, PROJECTIONS, _VIEWS = "indiana_reports.csv", "indiana_projections.csv", "nlmcxr_tsne*.csv"
READS = (REPORTS, PROJECTIONS, _VIEWS)
NEED = ("uid", "MeSH", "findings", "impression")
LOOKS_FOR = f"eCitation XML files, or {REPORTS} and {PROJECTIONS}"
_NOT_INDEXED = "no indexing"  # stands in place of terms where a report was not coded
_SAMPLED = 20  # XML files that are looked into: other ones may lie beside the reports


def find(root: Path) -> bool:
    """There is one of Kaggle's tables, or an XML file with OpenI's root element."""
    return bool(find_tables(root, REPORTS)) or any(map(_is_report, islice(_xml_files(root), _SAMPLED)))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image that a report names; reports without images are counted."""
    images = ImageFiles(root)
    if find_tables(root, REPORTS) or next(_xml_files(root), None) is None:
        yield from _kaggle(root, images, notes)
        return
    views, broken = _views(root, notes), list[str]()
    for path in sorted(_xml_files(root)):
        try:
            report = read_openi(path.read_bytes())
        except ValueError as error:
            broken.append(f"{path.name} ({error})")
            continue
        notes["reports without an image"] += not report.images
        for name in report.images:
            short = name.partition("_")[2]
            found = images.find(f"{name}.png")
            yield ArchiveFilm(
                name,
                found if found.is_file() else _first(images, f"{short}.dcm", found),
                study=path.stem,
                view=views.of(name),
                labels=dict.fromkeys(base_terms(report.mesh), 1),
                report=report.text if report.findings or report.impression else None,
            )
    if broken:
        notes[f"XML files that are no report, such as {broken[0]}"] += len(broken)
    views.close(root, "the ids of images in the XML files", notes)


def base_terms(terms: Iterable[str]) -> list[str]:
    """``Opacity/lung/base/left`` as ``opacity``; each once, none without a letter, and not ``no Indexing``."""
    bases = (term.partition("/")[0].strip().lower() for term in terms)
    known = (base for base in bases if said(base) and base != _NOT_INDEXED)
    return list(dict.fromkeys(base for base in known if any(map(str.isalpha, base))))


def _kaggle(root: Path, images: ImageFiles, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    reports, main = Side[dict[str, str]]("a report", "uid"), need_table(root, PROJECTIONS)
    for row in read_rows(need_table(root, REPORTS), *NEED, notes=notes):
        reports.add(row, {name: row[name] for name in NEED[1:]})
    for row in read_rows(main, "uid", "filename", "projection", notes=notes):
        told = reports.of(row["uid"]) or {}
        yield ArchiveFilm(
            row["filename"],
            images.find(row["filename"]),
            study=id_of(row["uid"]) or None,
            view=said(row["projection"]),
            labels=dict.fromkeys(base_terms(told.get("MeSH", "").split(";")), 1),
            report=_sections_of(told) or None,
        )
    reports.close(main, "uid", notes)


def _sections_of(told: dict[str, str]) -> str:
    parts = {name: said(told.get(name)) for name in ("findings", "impression")}
    return "\n\n".join(f"{name.upper()}: {part}" for name, part in parts.items() if part)


def _views(root: Path, notes: Counter[str]) -> Side[str | None]:
    side = Side[str | None]("a view", "imageid", image_of)
    for table in find_tables(root, _VIEWS):
        for row in read_rows(table, "imageid", "tsne-view", notes=notes):
            side.add(row, said(row["tsne-view"]))
    return side


def _is_report(path: Path) -> bool:
    with path.open("rb") as file:
        return b"eCitation" in file.read(4000).replace(b"\0", b"")  # UTF-16 has a zero beside each letter


def _first(images: ImageFiles, name: str, otherwise: Path) -> Path:
    found = images.find(name)
    return found if found.is_file() else otherwise


def _xml_files(root: Path) -> Iterator[Path]:
    patterns = ("*.xml", "*/*.xml", "*/*/*.xml")
    return (path for path in chain.from_iterable(map(root.glob, patterns)) if not path.name.startswith("."))
