"""Image files of an archive: found below a folder, and by name for tables that do not say where they lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

IMAGES = (".png", ".jpg", ".jpeg", ".dcm", ".dicom")


def walk_images(root: Path) -> Iterator[Path]:
    """Every image file below `root` by its name's end, folder by folder in order; hidden ones are left out.

    Folders that are links are followed, each folder once.
    """
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = sorted(name for name in below if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(IMAGES) and not name.startswith("."):
                yield Path(folder, name)


class ImageFiles:
    """Image files below a folder by name, for tables that do not say in which folder an image lies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: dict[str, Path] = {}
        for path in walk_images(root):
            self._paths.setdefault(path.name, path)
            self._paths.setdefault(path.stem, path)

    def find(self, name: str) -> Path:
        """The file called `name`, with or without its ending; where it would lie if there is none."""
        return self._paths.get(name) or self._paths.get(Path(name).stem) or self.root / name
