"""RSNA Pneumonia Detection Challenge: ``stage_2_train_labels.csv``, one row per box, and a class per image.

Both tables repeat an image once for each of its boxes, so they are joined by image. Sex, age and view stand in the
DICOM headers alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.files import ImageFiles, walk_images
from tasks.corpora.archives.film import ArchiveFilm, Box, number, said
from tasks.corpora.archives.joins import Side
from tasks.corpora.archives.labels import label_of
from tasks.corpora.archives.tables import find_tables, need_table, read_rows

LABELS, CLASSES = "stage_*_train_labels.csv", "stage_*_detailed_class_info.csv"
LOOKS_FOR = LABELS
READS = (LABELS, CLASSES, "stage_*_sample_submission.csv")
FINDING, SIDE = "Lung Opacity", 1024
_SIDES = ("x", "y", "width", "height")
NEED = ("patientId", *_SIDES, "Target")
_NORMAL = {"normal": 1, "no lung opacity / not normal": 0, "lung opacity": 0}
_TEST = "*test_images"


def find(root: Path) -> bool:
    """There is a table of labels."""
    return bool(find_tables(root, LABELS))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image of the table of labels once, with all its boxes, then those of the test folder."""
    images, main, normal = ImageFiles(root), need_table(root, LABELS), _normal(root, notes)
    targets: defaultdict[str, list[int]] = defaultdict(list)
    boxes: defaultdict[str, list[Box]] = defaultdict(list)
    for row in read_rows(main, *NEED, notes=notes):
        name = row["patientId"]
        mark = label_of(row, "Target", name)
        targets[name] += [] if mark is None else [mark]
        corners = [corner for side in _SIDES if (corner := number(row[side])) is not None]
        if len(corners) == len(_SIDES):
            boxes[name].append(Box(FINDING, *corners))
    for name, own in targets.items():
        notes["images with a row of lung opacity and one without"] += len(set(own)) > 1
        labels = {FINDING: max(own)} if own else {}
        clear = normal.of(name)
        labels |= {} if clear is None else {"No Finding": clear}
        path = images.find(f"{name}.dcm")
        own = tuple(boxes[name])
        yield ArchiveFilm(
            name, path, patient=name or None, labels=labels, boxes=own, split="train", frame=(SIDE, SIDE)
        )
    normal.close(main, "patientId", notes)
    for folder in sorted(root.glob(_TEST)):
        for path in walk_images(folder):
            notes["test images without labels"] += 1
            yield ArchiveFilm(path.stem, path, patient=path.stem, split="test")


def _normal(root: Path, notes: Counter[str]) -> Side[int]:
    """Whether an image is of the class Normal; rows for several boxes agree."""
    side = Side[int]("a class", "patientId")
    seen: set[tuple[str, str]] = set()
    for table in find_tables(root, CLASSES):
        for row in read_rows(table, "patientId", "class", notes=notes):
            kind = " ".join((said(row["class"]) or "").lower().split())
            if kind and kind not in _NORMAL:
                raise ArchiveError(
                    f"{row.where} ({row['patientId']}), column class: {row['class']!r} is none of Normal, "
                    "No Lung Opacity / Not Normal and Lung Opacity"
                )
            if kind and (row["patientId"], kind) not in seen:
                seen.add((row["patientId"], kind))
                side.add(row, _NORMAL[kind])
    return side
