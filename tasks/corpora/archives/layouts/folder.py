"""Any folder with images: ids are paths, a report may lie beside its film as ``<name>.txt``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tasks.corpora.archives.files import IMAGES, prefix_of, stem_of, walk_images
from tasks.corpora.archives.film import ArchiveFilm
from tasks.text_files import TextError, read_text

LOOKS_FOR = f"image files ({', '.join(IMAGES)}, or any that begin like one)"
SPLITS = ("train", "valid", "validate", "validation", "val", "test")
REPORT_ENDS = (".txt", ".TXT")
LONGEST = 1 << 20  # characters of a report


def find(root: Path) -> bool:
    """There is an image below `root`."""
    return next(walk_images(root), None) is not None


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image below `root`; a folder called train, valid or test is its split."""
    start = len(prefix_of(root))
    for path in walk_images(root):
        place = str(path)
        inner = place[start:].split(os.sep)
        split = next((part.lower() for part in inner[:-1] if part.lower() in SPLITS), None)
        report = _report(place, notes)
        notes["images without a report"] += not report
        yield ArchiveFilm("/".join(inner), path, report=report or None, split=split)


def report_of(place: str) -> str | None:
    """The path of the report beside the film at `place`."""
    stem = stem_of(place)
    return next((stem + end for end in REPORT_ENDS if os.path.isfile(stem + end)), None)


def _report(place: str, notes: Counter[str]) -> str:
    text = report_of(place)
    if text is None:
        return ""
    try:
        return read_text(Path(text), most=LONGEST).strip()
    except TextError:
        notes["reports that cannot be read"] += 1
        return ""
