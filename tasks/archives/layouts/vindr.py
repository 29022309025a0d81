"""VinDr-CXR: PhysioNet's ``annotations/`` (labels wide by reader, boxes long), or Kaggle's one ``train.csv``.

Of the three readers of the training set, one is enough: a finding is present where any of them saw it. A film counts
as without finding where none did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from tasks.archives.errors import ArchiveError
from tasks.archives.files import ImageFiles, walk_images
from tasks.archives.film import ArchiveFilm, Box, number
from tasks.archives.tables import find_tables, header_of, read_rows

LOOKS_FOR = "annotations_train.csv, image_labels_train.csv, or train.csv with the columns image_id and class_name"
NONE = "No finding"
SPLITS = ("train", "test")
_EDGES = ("x_min", "y_min", "x_max", "y_max")
_NO_LABELS = ("image_id", "rad_id")


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
        boxes, drawn = _boxes(long) if long else ({}, {})
        labels = _wide(wide) if wide else drawn
        for name, found in labels.items():
            seen.add(name)
            yield ArchiveFilm(
                name, images.find(f"{name}.dicom"), labels=found, boxes=tuple(boxes.get(name, ())), split=split
            )
    for path in walk_images(root / "test"):
        if path.stem not in seen:
            notes["test images without labels"] += 1
            yield ArchiveFilm(path.stem, path, split="test")


def _tables(root: Path, split: str) -> tuple[Path | None, Path | None]:
    """The wide table of labels and the long one of boxes."""
    wide, long = find_tables(root, f"image_labels_{split}.csv"), find_tables(root, f"annotations_{split}.csv")
    kaggle = find_tables(root, f"{split}.csv") if not wide and not long else []
    long += [path for path in kaggle if {"image_id", "class_name"} <= set(header_of(path))]
    return wide[0] if wide else None, long[0] if long else None


def _wide(table: Path) -> dict[str, dict[str, int]]:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in read_rows(table, "image_id"):
        for name, cell in row.items():
            if name not in _NO_LABELS:
                found[row["image_id"]][name] |= int((number(cell) or 0) > 0)
    return {name: _settled(marks) for name, marks in found.items()}


def _boxes(table: Path) -> tuple[Mapping[str, list[Box]], dict[str, dict[str, int]]]:
    """Boxes by image, and labels as the boxes imply them."""
    boxes: defaultdict[str, list[Box]] = defaultdict(list)
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for row in read_rows(table, "image_id", "class_name", *_EDGES):
        seen[row["image_id"]].add(row["class_name"])
        edges = [number(row[name]) for name in _EDGES]
        if row["class_name"] != NONE and None not in edges:
            left, top, right, bottom = (edge or 0.0 for edge in edges)
            boxes[row["image_id"]].append(Box(row["class_name"], left, top, right - left, bottom - top))
    classes = sorted({name for names in seen.values() for name in names})
    return boxes, {image: _settled({name: int(name in own) for name in classes}) for image, own in seen.items()}


def _settled(marks: Mapping[str, int]) -> dict[str, int]:
    """Readers who disagree whether there is anything leave no film both with a finding and without."""
    nothing = next((name for name in marks if name.lower() == NONE.lower()), None)
    if nothing is None:
        return dict(marks)
    return {**marks, nothing: int(not any(mark for name, mark in marks.items() if name != nothing))}
