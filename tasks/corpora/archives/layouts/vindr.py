"""VinDr-CXR: PhysioNet's ``annotations/`` (labels wide by reader, boxes long), or Kaggle's one ``train.csv``.

Of the three readers of the training set, one is enough: a finding is present where any of them saw it. A film counts
as without finding where all readers say so and none marks a finding. VinDr-PCXR has tables of the same names with
findings of its own, so which columns are labels follows from their cells; see `label_columns`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.files import ImageFiles, walk_images
from tasks.corpora.archives.film import ArchiveFilm, Box, mark_of, number, said
from tasks.corpora.archives.joins import Side
from tasks.corpora.archives.labels import labels_in, strongest
from tasks.corpora.archives.tables import Row, find_tables, header_of, lacking, read_rows

LOOKS_FOR = "annotations_train.csv, image_labels_train.csv, or train.csv with the columns image_id and class_name"
NEED = ("image_id", "class_name|No finding")
NONE = "No finding"
FINDINGS = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Clavicle fracture", "Consolidation",
    "Edema", "Emphysema", "Enlarged PA", "ILD", "Infiltration", "Lung Opacity", "Lung cavity", "Lung cyst",
    "Mediastinal shift", "Nodule/Mass", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis", "Rib fracture", "Other lesion", "COPD", "Lung tumor", "Pneumonia", "Tuberculosis",
    "Other disease", "Other diseases", NONE,
)  # fmt: skip
SPLITS = ("train", "test")
READS = ("image_labels_*.csv", "annotations_*.csv", "train.csv", "test.csv")
_EDGES = ("x_min", "y_min", "x_max", "y_max")
_READERS = ("image_id", "rad_id")
_BOOKKEEPING = re.compile(
    r"unnamed.*|index|level_\d+|x(\.\d+)?|v\d+|\.\.\.\d+|rownames?|fold|split|is_\w+|sex|male|female|view|(.*[ _])?id"
)
Labels = dict[str, dict[str, int]]


def find(root: Path) -> bool:
    """There are PhysioNet's tables or Kaggle's."""
    return any(_tables(root, split) != (None, None) for split in SPLITS)


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image of the tables, then those of a folder called test that no table names."""
    if not find(root):
        raise ArchiveError(f"{root} is no VinDr-CXR: looked for {LOOKS_FOR}")
    images = ImageFiles(root)
    seen: set[str] = set()
    for split in SPLITS:
        wide, long = _tables(root, split)
        boxes, drawn = _boxes(long, notes) if long else (Side[list[Box]]("boxes", "image_id"), {})
        for name, found in (_wide(wide, notes) if wide else drawn).items():
            seen.add(name)
            own = tuple(boxes.of(name) or ())
            yield ArchiveFilm(name, images.find(f"{name}.dicom"), labels=found, boxes=own, split=split)
        if wide:
            boxes.close(wide, "image_id", notes)
    for path in walk_images(root / "test"):
        if path.stem not in seen:
            notes["test images without labels"] += 1
            yield ArchiveFilm(path.stem, path, split="test")


def label_columns(table: Path, notes: Counter[str]) -> list[str]:
    """Columns of the wide table that are labels: the release's findings, and others all of whose cells are labels.

    A column without a name, one that numbers the rows, and one that is called like an index, an id or a split are
    none, whatever their cells.

    Args:
        table: the wide table.
        notes: counts the columns that are left out, each with the reason.
    """
    known = {name.casefold() for name in FINDINGS}
    names = [" ".join(name.split()) for name in header_of(table)]
    notes[f"columns of {table.name} without a name, left out"] += names.count("")
    open_names = [n for n in dict.fromkeys(names) if n and n.casefold() not in known and n.casefold() not in _READERS]
    why = {name: "its name" for name in open_names if _BOOKKEEPING.fullmatch(name.casefold())}
    said_of, counting = set[str](), {0: set(open_names), 1: set(open_names)}
    at = -1
    for at, row in enumerate(read_rows(table, "image_id", also=FINDINGS) if set(open_names) - {*why} else ()):
        for name in open_names:
            try:
                mark = mark_of(row[name])
            except ValueError:
                why.setdefault(name, f"{row[name][:40]!r} in line {row.line}")
                continue
            said_of |= {name} if mark is not None else set()
            for first, those in counting.items():
                those -= {name} if mark != at + first else set()
    if at > 0:
        for name in counting[0] | counting[1]:
            why.setdefault(name, "it numbers the rows")
    for name in set(open_names) - said_of:
        why.setdefault(name, "no cell of it says anything")
    for name, reason in sorted(why.items()):
        notes[f"columns of {table.name} left out as no labels: {name} ({reason})"] += 1
    taken = [name for name in open_names if name not in why]
    for name in taken:
        notes[f"columns of {table.name} that VinDr-CXR does not have, taken as labels: {name}"] += 1
    own = {name.casefold() for name in names}
    return [name for name in FINDINGS if name.casefold() in own] + taken


def _tables(root: Path, split: str) -> tuple[Path | None, Path | None]:
    """The wide table of labels and the long one of boxes."""
    wide, long = find_tables(root, f"image_labels_{split}.csv"), find_tables(root, f"annotations_{split}.csv")
    kaggle = find_tables(root, f"{split}.csv") if not wide and not long else []
    long += [path for path in kaggle if not lacking(header_of(path), ("image_id", "class_name"))]
    return wide[0] if wide else None, long[0] if long else None


def _wide(table: Path, notes: Counter[str]) -> Labels:
    columns = label_columns(table, notes)
    if not columns:
        raise ArchiveError(f"{table} has no column of labels beside {', '.join(header_of(table))}")
    first: dict[tuple[str, str], dict[str, int]] = {}
    readings: defaultdict[str, list[dict[str, int]]] = defaultdict(list)
    for row in read_rows(table, "image_id", also=(*columns, *_READERS), notes=notes):
        name = row["image_id"]
        found = labels_in(row, columns, name)
        readings[name].append(found)
        if first.setdefault((name, row.get("rad_id", "")), found) != found:
            notes[f"rows of {table.name} that say otherwise than one before of the same image and reader"] += 1
    return {name: _settled(own, columns) for name, own in readings.items()}


def _boxes(table: Path, notes: Counter[str]) -> tuple[Side[list[Box]], Labels]:
    """Boxes by image, and labels as the boxes imply them."""
    boxes = Side[list[Box]]("boxes", "image_id")
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for row in read_rows(table, "image_id", "class_name", *_EDGES, notes=notes):
        finding = _class_of(row)
        if finding is None:
            notes[f"rows of {table.name} without a class"] += 1
            continue
        seen[row["image_id"]].add(finding)
        edges = [edge for name in _EDGES if (edge := number(row[name])) is not None]
        own = boxes.gather(row, list)
        if finding != NONE and len(edges) == len(_EDGES):
            own.append(Box(finding, edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1]))
        elif finding != NONE:
            notes[f"rows of {table.name} with a finding and no whole box"] += 1
    classes = sorted({name for names in seen.values() for name in names})
    return boxes, {
        image: _settled([{name: int(name in own) for name in classes}], classes) for image, own in seen.items()
    }


def _class_of(row: Row) -> str | None:
    name = said(row["class_name"])
    if name is not None and not any(map(str.isalpha, name)):
        raise ArchiveError(f"{row.where} ({row['image_id']}), column class_name: {name!r} is no finding")
    return NONE if name is not None and name.casefold() == NONE.casefold() else name


def _settled(readings: list[dict[str, int]], columns: list[str]) -> dict[str, int]:
    """Readers who disagree whether there is anything leave no film both with a finding and without."""
    marks = strongest({name: [own[name] for own in readings if name in own] for name in columns})
    return {**marks, **_nothing(readings, marks)}


def _nothing(readings: list[dict[str, int]], marks: Mapping[str, int]) -> dict[str, int]:
    stated = [own[NONE] for own in readings if NONE in own]
    if not stated:
        return {}
    seen = any(mark == 1 for name, mark in marks.items() if name != NONE)
    return {NONE: 0 if seen or 0 in stated else min(stated)}
