"""MS-CXR: boxes of phrases on films of MIMIC-CXR-JPG, whose folder ``files`` lies beside its table.

``MS_CXR_Local_Alignment_v1.1.0.csv`` has a row for each box, the ``.json`` of the same name says the same as COCO; the
newest version that is there is read. A phrase may have several boxes and a film several phrases. What is not boxed is
unknown: a film has labels for its boxes alone. MIMIC-CXR's own table of metadata tells the view.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tasks.corpora.archives.coco import read_coco
from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import ArchiveFilm, Box, number, said
from tasks.corpora.archives.joins import Side, id_of
from tasks.corpora.archives.tables import Row, find_tables, need_table, read_rows

CSV, JSON, METADATA = "ms_cxr_local_alignment*.csv", "ms_cxr_local_alignment*.json", "mimic-cxr-*-metadata.csv"
READS = (CSV, JSON, METADATA)
NEED = ("dicom_id", "category_name", "label_text", "path", "x", "y", "w", "h")
LOOKS_FOR = "MS_CXR_Local_Alignment*.csv or .json, beside MIMIC-CXR-JPG's folder files"
_FACTS = ("image_width", "image_height", "split")
_PLACE = re.compile(r"p(\d{5,})/s(\d{5,})/")


def find(root: Path) -> bool:
    """There is its table."""
    return bool(find_tables(root, CSV, JSON))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every film of the newest table once, with the boxes of all its phrases."""
    need_table(root, CSV, JSON)
    table = (find_tables(root, CSV) or find_tables(root, JSON))[-1]
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for row in read_coco(table) if table.suffix == ".json" else read_rows(table, *NEED, also=_FACTS, notes=notes):
        rows[row["dicom_id"]].append(row)
    views, base = _views(root, notes), table.parent if (table.parent / "files").is_dir() else root
    for film, own in rows.items():
        yield _film(film, own, base, views.of(film), notes)
    views.close(table, "dicom_id", notes)


def _film(film: str, rows: list[Row], base: Path, view: str | None, notes: Counter[str]) -> ArchiveFilm:
    first = rows[0]
    place = PurePosixPath(first["path"].replace("\\", "/"))
    found = _PLACE.search(place.as_posix())
    if found is None or place.is_absolute() or ".." in place.parts:
        raise ArchiveError(
            f"{first.where}: {first['path']!r} is no path of MIMIC-CXR-JPG, such as "
            "files/p10/p10000032/s50414267/02aa804e.jpg"
        )
    boxes = [box for row in rows if (box := _box(row, notes)) is not None]
    notes["boxes that stand twice on one film"] += len(boxes) - len(set(boxes))
    sides = number(first.get("image_width")), number(first.get("image_height"))
    return ArchiveFilm(
        film,
        base / place,
        patient=id_of(found[1]),
        study=id_of(found[2]),
        view=view,
        labels={row["category_name"]: 1 for row in rows if said(row["category_name"])},
        boxes=tuple(dict.fromkeys(boxes)),
        split=said(first.get("split")),
        frame=(sides[0], sides[1]) if sides[0] and sides[1] else None,
    )


def _box(row: Row, notes: Counter[str]) -> Box | None:
    sides = [side for name in "xywh" if (side := number(row.get(name))) is not None]
    finding = said(row["category_name"])
    if len(sides) < 4 or min(sides[2:]) <= 0 or finding is None:
        notes[f"rows of {row.table.name} without a whole box or without a category"] += 1
        return None
    return Box(finding, *sides, phrase=" ".join(row["label_text"].split()))


def _views(root: Path, notes: Counter[str]) -> Side[str | None]:
    side = Side[str | None]("a view", "dicom_id")
    for table in find_tables(root, METADATA):
        for row in read_rows(table, "dicom_id", also=("ViewPosition",), notes=notes):
            side.add(row, said(row.get("ViewPosition")))
    return side
