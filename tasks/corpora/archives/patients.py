"""Folders of CheXpert's patients, wherever its batches put them."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PATIENT = re.compile(r"patient\d+")
DEPTH = 3  # levels of folders above the patients'
_ENDINGS = (".jpg", ".png", ".jpeg", ".dcm")
_OTHER = {"valid": "val", "val": "valid"}


class Patients:
    """The folder of each patient below `root`; patients have the same number in every release."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: defaultdict[str, list[Path]] = defaultdict(list)
        for folder, below, _ in os.walk(root, followlinks=True):
            here = Path(folder)
            for name in below:
                if PATIENT.fullmatch(name):
                    self._folders[name].append(here)
            deeper = len(here.relative_to(root).parts) < DEPTH
            below[:] = sorted(n for n in below if deeper and not n.startswith(".") and not PATIENT.fullmatch(n))

    def image(self, place: PurePosixPath) -> Path:
        """The file of a film ``[split/]patient/study/view``, of any ending; where it would lie if there is none."""
        for study in self._studies(place.parent):
            for name in dict.fromkeys((place.name, *(f"{place.stem}{ending}" for ending in _ENDINGS))):
                if (study / name).is_file():
                    return study / name
        return next(self._studies(place.parent), self._root / place.parent) / place.name

    def images(self, place: PurePosixPath) -> list[Path]:
        """The films of a study ``[split/]patient/study``, sorted."""
        for study in self._studies(place):
            found = sorted(path for path in study.glob("view*") if path.suffix.lower() in _ENDINGS)
            if found:
                return found
        return []

    def _studies(self, place: PurePosixPath) -> Iterator[Path]:
        """Folders that may be a study's, those below a folder that is called like its split first."""
        split = place.parts[0] if len(place.parts) > 2 else ""
        names = (split, _OTHER.get(split, split))
        folders = self._folders.get(place.parent.name, [])
        ordered = sorted(folders, key=lambda folder: (not any(n and n in folder.name.lower() for n in names), folder))
        return (folder / place.parent.name / place.name for folder in ordered)
