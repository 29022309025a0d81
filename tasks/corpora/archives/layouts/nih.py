"""NIH ChestX-ray14: ``Data_Entry_2017*.csv``, images in any folder below, official lists, boxes, Google's re-read.

The bracket commas of the header make eleven columns of nine names; only the first seven are read, and they are whole.
A table that is named for a folder beside it (``Data_Entry_<folder>.csv``) lists that folder's images.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.files import ImageFiles
from tasks.corpora.archives.film import ArchiveFilm, Box, age_in_years, number, said, sex_of
from tasks.corpora.archives.joins import Side, id_of, image_of
from tasks.corpora.archives.labels import labels_in
from tasks.corpora.archives.tables import Row, find_tables, need_table, read_list, read_rows

LOOKS_FOR = "Data_Entry*.csv"
NEED = ("Image Index", "Finding Labels", "Patient ID")
FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
    "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax",
)  # fmt: skip
NONE = "No Finding"
SIDE = 1024  # of the release's films; boxes refer to these, also beside smaller copies
_NAMES = {name.lower().replace("_", " "): name for name in (*FINDINGS, NONE)}
_NAMES["infiltrate"] = "Infiltration"  # the table of boxes calls it so
_LISTS = {"train": "train_val_list*.txt", "test": "test_list*.txt"}  # Kaggle's copies end in _NIH.txt
_BOXES = "BBox_List*.csv"
_EXPERTS = ("google2019*.csv", "four_findings_expert_labels*.csv")
_READ_AGAIN = ("Fracture", "Pneumothorax", "Airspace opacity", "Nodule or mass")
_FACTS = ("Follow-up #", "View Position", "Patient Gender", "Patient Sex", "Patient Age")
_CORNERS = ("Bbox [x", "y", "w", "h]")
READS = (LOOKS_FOR, _BOXES, *_EXPERTS, *_LISTS.values())


def find(root: Path) -> bool:
    """There is a table of entries."""
    return bool(find_tables(root, LOOKS_FOR))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every row of every table of entries."""
    main = need_table(root, LOOKS_FOR)
    everywhere, splits, boxes, experts = ImageFiles(root), _splits(root, notes), _boxes(root, notes), _experts(root)
    for table in find_tables(root, LOOKS_FOR):
        folder = table.parent / table.name.partition(".")[0].removeprefix("Data_Entry_")
        images = ImageFiles(folder) if folder.is_dir() else everywhere
        for row in read_rows(table, *NEED, also=_FACTS, notes=notes, spare=True):
            name = row["Image Index"]
            expert = experts.of(name)
            labels = _labels(row, notes)
            patient = id_of(row["Patient ID"])
            yield ArchiveFilm(
                f"{folder.name}/{name}" if images is not everywhere and name else name,
                images.find(name),
                patient=patient or None,
                study=f"{patient}/{id_of(row.get('Follow-up #'))}",
                view=said(row.get("View Position")),
                sex=sex_of(row.get("Patient Gender") or row.get("Patient Sex")),
                age=age_in_years(row.get("Patient Age")),
                labels=labels if expert is None else read_again(labels, expert),
                boxes=tuple(boxes.of(name) or ()),
                split=splits.of(name),
                frame=(SIDE, SIDE),
                labelled_by=None if expert is None else "radiologists",
            )
    for side in (splits, boxes, experts):
        side.close(main, NEED[0], notes)


@lru_cache(1 << 14)
def labels_of(cell: str) -> Mapping[str, int]:
    """All fourteen findings and No Finding as 1 or 0 out of ``Mass|Pleural_Thickening``; whole names count alone.

    A blank cell gives no label, and a finding stands above No Finding in the same cell. A name that is none of the
    fourteen is a label where it is said.

    Raises:
        ValueError: a name has no letter.
    """
    parts = [part.strip() for part in re.split(r"[|;,]", cell) if said(part)]
    wrong = next((part for part in parts if not any(map(str.isalpha, part))), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no finding")
    present = {_NAMES.get(" ".join(part.lower().replace("_", " ").split()), part) for part in parts}
    others = sorted(present - {*FINDINGS, NONE})
    found = {name: int(name in present) for name in (*FINDINGS, NONE, *others)} if present else {}
    return {**found, NONE: int(present == {NONE})} if present else {}


def read_again(labels: Mapping[str, int], expert: Mapping[str, int]) -> dict[str, int]:
    """`labels` with those of an `expert` in their place; a finding of the expert's denies No Finding."""
    seen = {NONE: 0} if 1 in expert.values() else {}
    return {**labels, **expert, **seen}


def _labels(row: Row, notes: Counter[str]) -> Mapping[str, int]:
    try:
        labels = labels_of(row["Finding Labels"])
    except ValueError as error:
        raise ArchiveError(f"{row.where} ({row['Image Index']}), column Finding Labels: {error}") from error
    notes[f"rows of {row.table.name} without a word in Finding Labels"] += not labels
    for name in [*labels][len(FINDINGS) + 1 :]:
        notes[f"rows of {row.table.name} with {name!r}, which is none of the release's findings"] += 1
    return labels


def _splits(root: Path, notes: Counter[str]) -> Side[str]:
    side = Side[str]("a split", "id", image_of)
    for split, name in _LISTS.items():
        for path in find_tables(root, name):
            for row in read_list(path, notes):
                side.add(row, split)
    return side


def _boxes(root: Path, notes: Counter[str]) -> Side[list[Box]]:
    side = Side[list[Box]]("boxes", "Image Index", image_of)
    for table in find_tables(root, _BOXES):
        for row in read_rows(table, "Image Index", "Finding Label", _CORNERS[0], also=_CORNERS, notes=notes):
            corners = [number(row.get(name)) for name in _CORNERS]
            known = [corner for corner in corners if corner is not None]
            boxes = side.gather(row, list)
            notes[f"rows of {table.name} without a whole box"] += len(known) < len(corners)
            if len(known) == len(corners):
                boxes.append(Box(_NAMES.get(row["Finding Label"].lower(), row["Finding Label"]), *known))
    return side


def _experts(root: Path) -> Side[dict[str, int]]:
    """Google's radiologists read some films again; their word stands above NIH's."""
    side = Side[dict[str, int]]("radiologists' labels", "Image Index", image_of)
    for table in find_tables(root, *_EXPERTS):
        for row in read_rows(table, "Image Index|Image ID", *_READ_AGAIN, spare=True):
            column = "Image Index" if "Image Index" in row else "Image ID"
            side.add(row, labels_in(row, _READ_AGAIN, row[column]), column)
    return side
