"""Joins of tables by id: ids are normalised, and rows without a partner are counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Generic, TypeVar

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import said
from tasks.corpora.archives.tables import Row

V = TypeVar("V")
_WHOLE = re.compile(r"0*(\d+)(?:\.0*)?")
_POWER = re.compile(r"(\d+)(?:\.(\d*))?[eE]\+?0*(\d{1,2})")
_IMAGE = re.compile(r"\.(png|jpe?g|dcm|dicom|tiff?|bmp)$", re.IGNORECASE)


def id_of(text: str | None, prefix: str = "") -> str:
    """An id as the program that made it wrote it: ``s50414260``, ``50414260.0``, ``050414260`` and ``5.041426e7`` are
    one; empty where there is none.

    Args:
        text: a cell.
        prefix: a letter that may stand before the number, as MIMIC-CXR's ``s`` and ``p`` do.
    """
    plain = said((text or "").strip().strip("'\"")) or ""
    bare = plain[len(prefix) :] if prefix and plain[: len(prefix)].lower() == prefix else plain
    whole = _WHOLE.fullmatch(bare)
    if whole is not None:
        return whole[1]
    return str(int(Decimal(bare))) if _zeros(bare) is not None else bare


def image_of(text: str | None) -> str:
    """The name of an image file without folders and ending: ``images/00000001_000.png`` is ``00000001_000``."""
    return _IMAGE.sub("", re.split(r"[/\\]", (text or "").strip().strip("'\""))[-1])


def study_of(text: str | None) -> str:
    """An id of MIMIC-CXR's studies."""
    return id_of(text, "s")


def _zeros(text: str) -> int | None:
    """How many zeros a number with an exponent ends in that it does not write out; None for another text."""
    power = _POWER.fullmatch(text)
    if power is None or int(power[3]) > 30:
        return None
    zeros = int(power[3]) - len((power[2] or "").rstrip("0"))
    return zeros if zeros >= 0 else None


class Rounding:
    """Finds a column of ids that a program rounded, such as ``5.04143e+07``: they name other studies, or none."""

    def __init__(self) -> None:
        self._rounded, self._first = 0, ""

    def see(self, text: str) -> None:
        """Take in one id as it stands in the table."""
        if _zeros(text.strip().lstrip("spSP")):
            self._rounded += 1
            self._first = self._first or text.strip()

    def check(self, where: str, rows: int) -> None:
        """Raises:
        ArchiveError: more of `rows` ids end in zeros that they do not write out than chance gives.
        """
        if self._rounded > max(1, 0.3 * rows):
            raise ArchiveError(
                f"{where}: {self._rounded} of {rows} ids are rounded numbers, such as {self._first}: "
                "the last digits are lost; export the table anew with this column as text"
            )


class Side(Generic[V]):
    """The rows of further tables on films or studies, by id.

    Args:
        what: is joined, such as ``labels``.
        column: where the ids stand.
        key: makes ids comparable.
    """

    def __init__(self, what: str, column: str, key: Callable[[str], str] = id_of) -> None:
        self.what, self.column, self._key = what, column, key
        self.tables: dict[Path, None] = {}
        self._values: dict[str, V] = {}
        self._rows: Counter[str] = Counter()
        self._met: set[str] = set()
        self._example = self._asked = self._otherwise = ""
        self._repeats = self._others = self._films = self._alone = self._nameless = 0
        self._rounding = Rounding()

    def add(self, row: Row, value: V, column: str = "") -> None:
        """Take in one row; of rows with one id the first counts, and a second with another value is noted."""
        key = self._enter(row.table, row[column or self.column])
        if key and key not in self._values:
            self._values[key] = value
        elif key:
            self._repeats += 1
            if self._values[key] != value:
                self._others += 1
                self._otherwise = self._otherwise or f"{key} in line {row.line}"

    def gather(self, row: Row, empty: Callable[[], V], column: str = "") -> V:
        """The value of the row's id, for rows that are collected; `empty` makes it at the first of them."""
        key = self._enter(row.table, row[column or self.column])
        return self._values.setdefault(key, empty()) if key else empty()

    def of(self, ident: str) -> V | None:
        """What is said of an id of the main table; None, and counted, where nothing is."""
        key = self._key(ident)
        self._films += 1
        self._asked = self._asked or ident
        if key in self._values:
            self._met.add(key)
            return self._values[key]
        self._alone += 1
        return None

    def close(self, main: Path, column: str, notes: Counter[str]) -> None:
        """Note what found no partner, once every film has been asked for.

        Args:
            main: the table that names the films.
            column: where its ids stand.
            notes: of the archive.

        Raises:
            ArchiveError: both tables have rows and not one id is in both, or the ids are rounded.
        """
        names = ", ".join(sorted(table.name for table in self.tables))
        self._rounding.check(f"{names}, column {self.column}", sum(self._rows.values()))
        if self._nameless and self._films and not self._values:
            raise ArchiveError(
                f"{names}, column {self.column}: no row has an id, so that no film has {self.what} of it: write the "
                "ids, or take the file out of the archive's folder"
            )
        if self._values and self._films and not self._met:
            raise ArchiveError(
                f"{names}, column {self.column}: no id in it (such as {self._example!r}) is in {main}, column "
                f"{column} (such as {self._asked!r}), so that no film has {self.what} of it: write the ids alike, or "
                "take the file out of the archive's folder"
            )
        if not self.tables:
            return
        notes[f"films without {self.what} in {names}"] += self._alone
        notes[f"rows of {names} without a film"] += sum(n for key, n in self._rows.items() if key not in self._met)
        notes[f"rows of {names} without an id"] += self._nameless
        notes[f"rows of {names} that repeat an id"] += self._repeats - self._others
        if self._others:
            note = f"rows of {names} that say otherwise than an earlier row of the same id, which counts"
            notes[f"{note} (the first is {self._otherwise})"] += self._others

    def _enter(self, table: Path, text: str) -> str:
        self.tables[table] = None
        self._rounding.see(text)
        key = self._key(text)
        self._nameless += not key
        if key:
            self._rows[key] += 1
            self._example = self._example or text
        return key
