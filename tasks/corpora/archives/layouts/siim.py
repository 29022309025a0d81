"""SIIM-ACR Pneumothorax: run-length masks in ``train-rle.csv`` or ``stage_2_train.csv``, DICOM in nested folders.

The older table's header has a blank before ``EncodedPixels``, and its empty mask is `` -1``. An image with several
rows has several masks, which count together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from tasks.corpora.archives.files import ImageFiles, walk_images
from tasks.corpora.archives.film import ArchiveFilm, Box, RunMask, said
from tasks.corpora.archives.masks import SIDE, decode_masks
from tasks.corpora.archives.tables import find_tables, header_of, lacking, need_table, read_rows

TABLES = ("*train-rle*.csv", "stage_2_train.csv")
READS = (*TABLES, "*sample_submission*.csv")
LOOKS_FOR = "train-rle.csv or stage_2_train.csv with the columns ImageId and EncodedPixels"
NEED = ("ImageId", "EncodedPixels")
FINDING = "Pneumothorax"
_NO_MASK = ("-1", "-1.0")


def find(root: Path) -> bool:
    """There is a table of masks."""
    return any(not lacking(header_of(path), NEED) for path in find_tables(root, *TABLES))


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image of the first table that is found, then those of the test folder."""
    images, main = ImageFiles(root), need_table(root, *TABLES)
    masks: defaultdict[str, list[str]] = defaultdict(list)
    none: Counter[str] = Counter()
    for row in read_rows(main, *NEED, notes=notes):
        cell = said(row["EncodedPixels"]) or ""
        none[row["ImageId"]] += cell in _NO_MASK
        notes[f"rows of {main.name} without a word in EncodedPixels"] += not cell
        masks[row["ImageId"]] += [cell] if cell not in ("", *_NO_MASK) else []
    broken: list[str] = []
    for name, runs in masks.items():
        notes["images both with a mask and without, taken as with one"] += bool(runs and none[name])
        labels = {FINDING: int(bool(runs))} if runs or none[name] else {}
        boxes, areas = tuple[Box, ...](), tuple[RunMask, ...]()
        try:
            boxes = boxes_of(decode_masks(runs)) if runs else ()
            areas = (RunMask(FINDING, tuple(runs), SIDE, SIDE),) if boxes else ()
        except ValueError as error:
            broken.append(f"{name} ({error})")
        path = images.find(f"{name}.dcm")
        yield ArchiveFilm(name, path, labels=labels, boxes=boxes, masks=areas, split="train", frame=(SIDE, SIDE))
    if broken:
        notes[f"masks that cannot be decoded, such as that of {broken[0]}"] += len(broken)
    for folder in sorted(root.glob("*test*")):
        for path in walk_images(folder):
            if path.stem not in masks:
                notes["test images without labels"] += 1
                yield ArchiveFilm(path.stem, path, split="test")


def boxes_of(mask: np.ndarray) -> tuple[Box, ...]:
    """A box for each connected part of a mask (H, W)."""
    count, _, parts, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask), connectivity=8)
    return tuple(Box(FINDING, *(float(side) for side in parts[at, :4])) for at in range(1, count))
