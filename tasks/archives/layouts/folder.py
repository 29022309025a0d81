"""Any folder with images: ids are paths, a report may lie beside its film as ``<name>.txt``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tasks.archives.files import IMAGES, walk_images
from tasks.archives.film import ArchiveFilm

LOOKS_FOR = f"image files ({', '.join(IMAGES)})"
SPLITS = ("train", "valid", "validate", "validation", "val", "test")


def find(root: Path) -> bool:
    """There is an image below `root`."""
    return next(walk_images(root), None) is not None


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every image below `root`; a folder called train, valid or test is its split."""
    for path in walk_images(root):
        inner = path.relative_to(root)
        split = next((part.lower() for part in inner.parts[:-1] if part.lower() in SPLITS), None)
        text = path.with_suffix(".txt")
        report = text.read_text(encoding="utf-8", errors="replace").strip() if text.is_file() else ""
        notes["images without a report"] += not report
        yield ArchiveFilm(inner.as_posix(), path, report=report or None, split=split)
