"""RSNA Pneumonia Detection Challenge: ``stage_2_train_labels.csv``, one row per box, and a class per image.

Both tables repeat an image once for each of its boxes, so they are joined by image. Sex, age and view stand in the
DICOM headers alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tasks.archives.files import ImageFiles, walk_images
from tasks.archives.film import ArchiveFilm, Box, mark_of, number
from tasks.archives.tables import find_tables, need_table, read_rows

LABELS, CLASSES = "stage_*_train_labels.csv", "stage_*_detailed_class_info.csv"
LOOKS_FOR = LABELS
FINDING = "Lung Opacity"
_TEST = "*test_images"


def find(root: Path) -> bool:
    """There is a table of labels."""
    return bool(find_tables(root, LABELS))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image of the table of labels once, with all its boxes, then those of the test folder."""
    images = ImageFiles(root)
    targets: dict[str, int] = {}
    boxes: defaultdict[str, list[Box]] = defaultdict(list)
    for row in read_rows(need_table(root, LABELS), "patientId", "x", "y", "width", "height", "Target"):
        name = row["patientId"]
        targets[name] = max(targets.get(name, 0), mark_of(row["Target"]) or 0)
        corners = [number(row[side]) for side in ("x", "y", "width", "height")]
        if None not in corners:
            boxes[name].append(Box(FINDING, *(corner or 0.0 for corner in corners)))
    tables = find_tables(root, CLASSES)
    classes = {row["patientId"]: row["class"] for table in tables for row in read_rows(table, "patientId", "class")}
    for name, target in targets.items():
        labels = {FINDING: target} | ({"No Finding": int(classes[name] == "Normal")} if name in classes else {})
        path = images.find(f"{name}.dcm")
        yield ArchiveFilm(name, path, patient=name, labels=labels, boxes=tuple(boxes[name]), split="train")
    for folder in sorted(root.glob(_TEST)):
        for path in walk_images(folder):
            notes["test images without labels"] += 1
            yield ArchiveFilm(path.stem, path, patient=path.stem, split="test")
