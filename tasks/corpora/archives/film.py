"""One film of an archive with all facts in its tables, before a pixel is read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

OLDEST = 120  # NIH's first table has patients of 148 to 414 years
_AGE = re.compile(r"0*(\d+(?:\.\d+)?)\s*([YMWD]?)", re.IGNORECASE)
_MARKS = {
    "true": 1, "yes": 1, "positive": 1, "present": 1, "false": 0, "no": 0, "negative": 0, "absent": 0,
    "uncertain": -1, "1": 1, "1.0": 1, "0": 0, "0.0": 0, "-1": -1, "-1.0": -1,
}  # fmt: skip
NORMAL_LABELS = ("No Finding", "No finding", "normal")
"""How archives label a film without any finding."""
_UNITS = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25, "": 1.0}


@dataclass(frozen=True, slots=True)
class Box:
    """A finding's place in pixels of its publisher's film: left edge `x`, top edge `y`, `width` and `height`.

    `phrase` is the text of a report that the box belongs to; empty where the archive has boxes without text.
    """

    finding: str
    x: float
    y: float
    width: float
    height: float
    phrase: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class RunMask:
    """A finding's area on a film of `width` x `height` pixels, in runs that `decode_masks` reads."""

    finding: str
    runs: tuple[str, ...]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ArchiveFilm:
    """A film by its id, which is unique in its archive; what an archive does not give is None or empty.

    Args:
        film: id, as the archive's own tables name it.
        path: where its image should lie; it may be missing.
        patient, study: ids. Two films of one patient must not stand in two splits.
        view: as the archive writes it, such as ``PA``, ``AP``, ``LATERAL`` or ``L``.
        sex: ``M`` or ``F``.
        age: in years.
        labels: finding to 1 (present), 0 (absent) or -1 (uncertain); a finding without a label is left out.
        report: the body of its report. Films of one study share it.
        boxes, masks: places of findings.
        frame: width and height of the film that `boxes` refer to, where the archive tells them; None where they are
            in pixels of the file, whatever its size.
        split: as the archive names it, such as ``train``.
        labelled_by: who labelled it, where an archive mixes sources of different worth.
    """

    film: str
    path: Path
    patient: str | None = None
    study: str | None = None
    view: str | None = None
    sex: str | None = None
    age: float | None = None
    labels: Mapping[str, int] = field(default_factory=dict)
    report: str | None = None
    boxes: tuple[Box, ...] = ()
    masks: tuple[RunMask, ...] = ()
    split: str | None = None
    labelled_by: str | None = None
    frame: tuple[float, float] | None = None


def label_counts(films: Iterable[ArchiveFilm]) -> Counter[str]:
    """Films that show each finding."""
    return Counter(
        name for film in films for name, mark in film.labels.items() if mark == 1 and name not in NORMAL_LABELS
    )


def said(text: str | None) -> str | None:
    """The text without blanks around it; None where it is blank."""
    plain = (text or "").strip()
    return None if plain.lower() in ("", "nan", "none", "null", "unknown", "unk", "n/a") else plain


def age_in_years(text: str | None) -> float | None:
    """Years out of ``58``, ``058Y``, ``011M`` or ``62.0``; None where it is no age that people reach."""
    found = _AGE.fullmatch((text or "").strip())
    if found is None:
        return None
    years = float(found[1]) * _UNITS[found[2].upper()]
    return years if years <= OLDEST else None


def sex_of(text: str | None) -> str | None:
    """``M`` or ``F`` out of ``Male``, ``f`` and the like; None for anything else."""
    first = (text or "").strip()[:1].upper()
    return first if first in ("M", "F") and (text or "").strip().upper() in ("M", "F", "MALE", "FEMALE") else None


def mark_of(text: str | None) -> int | None:
    """A label cell ``1.0``, ``0``, ``-1.0``, ``true``, ``NO`` or ``uncertain`` as 1, 0 or -1; None where it is blank.

    Raises:
        ValueError: another value.
    """
    known = _MARKS.get(text or "")  # nearly all cells are one of these
    plain = said(text) if known is None and text else None
    if plain is None:
        return known
    value = _MARKS.get(plain.lower(), number(plain))
    if value not in (1, 0, -1):
        raise ValueError(f"{plain!r} is no label: 1, 0, -1 or blank")
    return int(value)


def number(text: str | None) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
