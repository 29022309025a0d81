"""Layouts by name, which one a folder has, and what its tables leave unread."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from tasks.corpora.archives.errors import ArchiveError
from tasks.corpora.archives.film import ArchiveFilm
from tasks.corpora.archives.official import ListFile, list_files
from tasks.corpora.archives.unread import no_layout, some, unread_tables

AUTO, FOLDER = "auto", "folder"
LAYOUTS = (
    "nih",
    "chexpert",
    "mimic",
    "openi",
    "padchest",
    "vindr",
    "rsna",
    "siim",
    "covidx",
    "covid_rural",
    "ms_cxr",
    FOLDER,
)
_OTHER_LANGUAGE = {"padchest": "Spanish, cut to word stems"}


class Layout(Protocol):
    """A module of `tasks.corpora.archives.layouts`.

    `LOOKS_FOR` is what `find` searches for, in words. Layouts with tables also have `READS`, patterns of the names of
    all that they read, and `NEED`, columns of the main one.
    """

    LOOKS_FOR: str

    def find(self, root: Path) -> bool:
        """Whether `root` has this layout."""
        ...

    def read(self, root: Path, notes: Counter[str]) -> Iterator[ArchiveFilm]:
        """Films in the order of the archive's tables; `notes` counts what was odd about rows."""
        ...


@dataclass(frozen=True, slots=True)
class Archive:
    """A folder with its layout; `notes` fills while `films` is read to its end."""

    root: Path
    layout: str
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def english(self) -> bool:
        """Whether its reports are in English."""
        return self.other_language is None

    @property
    def other_language(self) -> str | None:
        """What its reports are written in, where that is not English."""
        return _OTHER_LANGUAGE.get(self.layout)

    def films(self) -> Iterator[ArchiveFilm]:
        """Films one by one; ids are unique, and no image is touched. Of two rows of one film the first counts.

        Raises:
            ArchiveError: a table or a column is missing, a cell is no label, or tables that belong together share
                no id.
        """
        layout = layout_of(self.layout)
        left = unread_tables(self.root, getattr(layout, "READS", ()))
        if left:
            self.notes[f"tables that the layout {self.layout} does not read ({some(left)})"] += len(left)
        labels: dict[str, int] = {}
        otherwise = ""
        others = 0
        for film in layout.read(self.root, self.notes):
            same = hash(frozenset(film.labels.items()))
            if not film.film:
                self.notes["rows without the id of a film"] += 1
            elif film.film not in labels:
                labels[film.film] = same
                yield film
            elif labels[film.film] == same:
                self.notes["rows that repeat a film"] += 1
            else:
                others, otherwise = others + 1, otherwise or film.film
        if others:
            self.notes[f"rows that repeat a film with other labels, such as {otherwise}; the first counts"] += others

    def lists(self) -> tuple[ListFile, ...]:
        """The lists and tables that its layout reads, each with its SHA-256 and in what it is not the published one.

        Raises:
            ArchiveError: one of them is damaged.
        """
        return list_files(self.root, self.layout, getattr(layout_of(self.layout), "READS", ()))

    def no_film(self) -> ArchiveError:
        """What to raise where `films` are none."""
        if self.layout == FOLDER:
            return ArchiveError(f"{self.root} holds no image file")
        return ArchiveError(f"{self.root} has the layout {self.layout}, but its tables name no film")

    def check_films(self) -> None:
        """Refuse a folder without a film of its layout, before anything is started; a sound archive is not read.

        Raises:
            ArchiveError: a table is missing, or no film is there.
        """
        if not layout_of(self.layout).find(self.root) and next(self.films(), None) is None:
            raise self.no_film()


def open_archive(root: Path, layout: str = AUTO) -> Archive:
    """The archive at `root`; `auto` takes the one layout that fits, a plain folder where it has no tables.

    Raises:
        ArchiveError: no such folder or layout, nothing in it, tables that no layout reads, or several layouts fit.
    """
    if layout not in (AUTO, *LAYOUTS):
        raise ArchiveError(f"layout is {layout!r}: it is one of {', '.join((AUTO, *LAYOUTS))}")
    if not root.is_dir():
        raise ArchiveError(f"archive: {root} is no folder")
    if layout != AUTO:
        return Archive(root, layout)
    fits = [name for name in LAYOUTS if name != FOLDER and layout_of(name).find(root)]
    if len(fits) > 1:
        raise ArchiveError(f"{root} looks like {' and like '.join(fits)}: say which with --layout")
    if fits:
        return Archive(root, fits[0])
    tables = unread_tables(root)
    if tables:
        raise no_layout(root, tables, {name: layout_of(name) for name in LAYOUTS if name != FOLDER})
    if not layout_of(FOLDER).find(root):
        looked = "; ".join(f"{name}: {layout_of(name).LOOKS_FOR}" for name in LAYOUTS)
        raise ArchiveError(f"{root} holds no archive that is known; looked for {looked}")
    return Archive(root, FOLDER)


def layout_of(name: str) -> Layout:
    """The module that reads a layout."""
    return cast(Layout, importlib.import_module(f"tasks.corpora.archives.layouts.{name}"))
