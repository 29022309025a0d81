"""NIH ChestX-ray14: ``Data_Entry_2017*.csv``, images in any folder below, official lists, boxes, Google's re-read.

The bracket commas of the header make eleven columns of nine names; only the first seven are read, and they are whole.
A table that is named for a folder beside it (``Data_Entry_<folder>.csv``) speaks of that folder's images.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.archives.files import ImageFiles
from tasks.archives.film import ArchiveFilm, Box, age_in_years, number, said, sex_of
from tasks.archives.tables import find_tables, need_table, read_rows

LOOKS_FOR = "Data_Entry*.csv"
FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
    "Infiltration", "Mass", "Nodule", "Pleural_Thickening", "Pneumonia", "Pneumothorax",
)  # fmt: skip
NONE = "No Finding"
_NAMES = {"Infiltrate": "Infiltration"}  # the table of boxes calls it so
_LISTS = {"train": "train_val_list.txt", "test": "test_list.txt"}
_EXPERTS = ("google2019*.csv", "four_findings_expert_labels*.csv")
_READ_AGAIN = ("Fracture", "Pneumothorax", "Airspace opacity", "Nodule or mass")


def find(root: Path) -> bool:
    """There is a table of entries."""
    return bool(find_tables(root, "Data_Entry*.csv"))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every row of every table of entries, once."""
    need_table(root, "Data_Entry*.csv")
    everywhere, splits, boxes, experts = ImageFiles(root), _splits(root), _boxes(root), _experts(root)
    seen: set[str] = set()
    for table in find_tables(root, "Data_Entry*.csv"):
        folder = table.parent / table.name.partition(".")[0].removeprefix("Data_Entry_")
        images = ImageFiles(folder) if folder.is_dir() else everywhere
        for row in read_rows(table, "Image Index", "Finding Labels", "Patient ID"):
            name = row["Image Index"]
            film = f"{folder.name}/{name}" if images is not everywhere else name
            if film in seen:
                notes["rows that repeat a film"] += 1
                continue
            seen.add(film)
            labels = labels_of(row["Finding Labels"])
            yield ArchiveFilm(
                film,
                images.find(name),
                patient=said(row["Patient ID"]),
                study=f"{row['Patient ID']}/{row.get('Follow-up #', '')}",
                view=said(row.get("View Position")),
                sex=sex_of(row.get("Patient Gender") or row.get("Patient Sex")),
                age=age_in_years(row.get("Patient Age")),
                labels=read_again(labels, experts[name]) if name in experts else labels,
                boxes=tuple(boxes.get(name, ())),
                split=splits.get(name),
                labelled_by="radiologists" if name in experts else None,
            )


def labels_of(cell: str) -> dict[str, int]:
    """All fourteen findings and No Finding as 1 or 0 out of ``Mass|Pleural_Thickening``; whole names count alone."""
    present = {part.strip() for part in cell.split("|")} - {""}
    return {name: int(name in present) for name in (*FINDINGS, NONE, *sorted(present - {*FINDINGS, NONE}))}


def read_again(labels: Mapping[str, int], expert: Mapping[str, int]) -> dict[str, int]:
    """`labels` with what an `expert` says instead; who sees a finding says that there is one."""
    return {**labels, **expert, NONE: labels[NONE] if not any(expert.values()) else 0}


def _splits(root: Path) -> dict[str, str]:
    return {
        line.strip(): split
        for split, name in _LISTS.items()
        if (root / name).is_file()
        for line in (root / name).read_text().splitlines()
    }


def _boxes(root: Path) -> Mapping[str, list[Box]]:
    found: defaultdict[str, list[Box]] = defaultdict(list)
    for table in find_tables(root, "BBox_List*.csv"):
        for row in read_rows(table, "Image Index", "Finding Label", "Bbox [x"):
            corners = [number(row.get(name)) for name in ("Bbox [x", "y", "w", "h]")]
            if None not in corners:
                finding = _NAMES.get(row["Finding Label"], row["Finding Label"])
                found[row["Image Index"]].append(Box(finding, *(float(c or 0) for c in corners)))
    return found


def _experts(root: Path) -> dict[str, dict[str, int]]:
    """Google's radiologists read some films again; their word stands above NIH's."""
    return {
        row.get("Image Index") or row["Image ID"]: {
            name: int(row[name].upper() == "YES") for name in _READ_AGAIN if said(row[name])
        }
        for table in find_tables(root, *_EXPERTS)
        for row in read_rows(table, "Image Index|Image ID", *_READ_AGAIN)
    }
