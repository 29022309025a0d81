"""COVID-19 Rural: films of TCIA's COVID-19-AR in ``jpgs/`` and masks of their opacities in ``pngs_masks/``, by name.

A film is called after patient and date, such as ``COVID-19-AR-16406488_01-08-2012-XR``, and may be of any kind of
image. Inside of a mask is what is not 0. ``covid_rural_patient_info.csv`` tells age and sex;
``covid_rural_radiologist_notes.csv`` counts days since a test and names no film, so it is not read. Splits are the
user's: ``train.csv``, ``valid.csv`` and ``test.csv`` with a column filepath or ID.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from storage.masks import encode_mask
from tasks.corpora.archives.errors import ArchiveError, UnreadableFilm
from tasks.corpora.archives.files import stem_of, walk_images
from tasks.corpora.archives.film import ArchiveFilm, RunMask, age_in_years, sex_of
from tasks.corpora.archives.image import refuse_bomb
from tasks.corpora.archives.joins import Side, image_of
from tasks.corpora.archives.tables import Row, find_tables, header_of, lacking, read_rows

MASKS, INFO, FINDING = "pngs_masks", "*patient_info*.csv", "Opacity"
LISTS = {"train": "train*.csv", "valid": "val*.csv", "test": "test*.csv"}
READS = (INFO, "*radiologist_notes*.csv", *LISTS.values())
NEED = ("PATIENT_ID", "AGE", "SEX")
LOOKS_FOR = f"a folder {MASKS} beside films such as jpgs/COVID-19-AR-16406488_01-08-2012-XR.jpg"
_LISTED = "filepath|ID"
_NAME = re.compile(r"(COVID-19-AR-\d+)_([\d-]{10})[^.]*")


def find(root: Path) -> bool:
    """There is a folder of masks."""
    return _base(root) is not None


def read(root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
    """Every film of the folder, by name."""
    base = _base(root)
    if base is None:
        raise ArchiveError(f"{root} is no COVID-19 Rural: looked for {LOOKS_FOR}")
    people, splits = _people(root, notes), _splits(root, notes)
    masks = {path.stem: path for path in sorted((base / MASKS).glob("*.png"))}
    for path in walk_images(base):
        name = stem_of(path.name)
        found = _NAME.fullmatch(name)
        if found is None or path.parent == base / MASKS:
            continue
        patient, date = found.groups()
        mask = _mask(masks.pop(name, None), notes)
        row = people.of(patient) or {}
        yield ArchiveFilm(
            name,
            path,
            patient=patient,
            study=f"{patient}/{date}",
            sex=sex_of(row.get("SEX")),
            age=age_in_years(row.get("AGE")),
            labels={} if mask is None else {FINDING: int(bool(mask.runs[0]))},
            masks=(mask,) if mask is not None and mask.runs[0] else (),
            split=splits.of(name),
        )
    notes["masks without a film"] += len(masks)
    people.close(base / "jpgs", "file name", notes)
    splits.close(base / "jpgs", "file name", notes)


def _base(root: Path) -> Path | None:
    """The folder that holds masks and films, which may be one below."""
    return next((path.parent for path in (root / MASKS, *sorted(root.glob(f"*/{MASKS}"))) if path.is_dir()), None)


def _mask(path: Path | None, notes: Counter[str]) -> RunMask | None:
    """The mask of a film, without a run where it is empty; None where there is none that can be read."""
    if path is None:
        notes["films without a mask"] += 1
        return None
    try:
        with Image.open(path) as image:
            refuse_bomb(*image.size)
            values = np.asarray(image)
    except (OSError, ValueError, SyntaxError, UnreadableFilm) as error:
        notes[f"masks that cannot be read, such as {path.name} ({' '.join(str(error).split())})"] += 1
        return None
    area = values.max(axis=2) if values.ndim == 3 else values
    notes["masks with more than one value inside, all taken as one area"] += len(np.unique(area[area != 0])) > 1
    height, width = area.shape
    runs = encode_mask(FINDING, area).runs if area.any() else ""
    return RunMask(FINDING, (runs,), width, height)


def _people(root: Path, notes: Counter[str]) -> Side[Row]:
    side = Side[Row]("age and sex", "PATIENT_ID")
    for table in find_tables(root, INFO):
        for row in read_rows(table, *NEED, notes=notes):
            side.add(row, row)
    return side


def _splits(root: Path, notes: Counter[str]) -> Side[str]:
    side = Side[str]("a split", "filepath or ID", image_of)
    for split, pattern in LISTS.items():
        for table in find_tables(root, pattern):
            if not lacking(header_of(table), (_LISTED,)):
                for row in read_rows(table, _LISTED, notes=notes):
                    side.add(row, split, "filepath" if "filepath" in row else "ID")
    return side
