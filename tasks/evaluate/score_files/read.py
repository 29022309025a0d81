"""Read a file of predictions or labels, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from models.findings.label_sets import plain
from tasks.evaluate.labels import CannotScore
from tasks.evaluate.score_files.forms import Kind, by_plain_name, from_listed, from_long, from_wide, long_columns
from tasks.evaluate.score_files.label_table import LabelTable
from tasks.evaluate.score_files.problems import FilesDoNotFit, counted, examples
from tasks.evaluate.score_files.tables import read_cells

FILM_COLUMNS = ("film", "image", "image index", "image id", "sample id", "filename", "file", "path", "dicom id", "id")
"""Columns that name the film where nobody says which does, in this order; case, spaces and underscores aside."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of a file hold what.

    Args:
        film: id of the film; None takes the first of `FILM_COLUMNS` that is there.
        patients: id of the patient, in one of the two files; None where nobody knows.
        prefix: what the columns of labels begin with before the label, such as ``prob_``; others are left alone.
        listed: the column of the listed form, or None.
    """

    film: str | None = None
    patients: str | None = None
    prefix: str = ""
    listed: str | None = None


def read_table(path: str | Path, kind: Kind, columns: Columns, asked: Sequence[str] = ()) -> LabelTable:
    """A file of predictions or labels.

    Args:
        path: as `tasks.evaluate.score_files.tables.read_cells` takes it.
        kind: what it holds.
        columns: which columns hold what.
        asked: labels of the predictions, which the listed form does not name where no film shows them.

    Raises:
        FilesDoNotFit: a column is missing, a film stands there twice, or has no id or no patient.
        CannotScore: the file is no table.
        OSError: it cannot be read.
    """
    frame, name = _frame(Path(path).expanduser()), str(path)
    film = _film_column(frame, name, columns.film)
    if columns.listed is not None and columns.listed not in frame.columns:
        raise FilesDoNotFit([f"{name} has no column {columns.listed!r}; it has {examples(frame.columns)}"])
    patient = columns.patients if columns.patients in frame.columns else None
    long = None if columns.listed else long_columns(frame, kind)
    for key in filter(None, (film, patient, long and long[0])):
        frame = _with_ids(frame, key, film, name)
    if long:
        cells = from_long(frame, film, *long, name)
    else:
        _refuse_twice(frame, film, f"{name} holds", "more than once")
        if columns.listed is None:
            cells = from_wide(frame, (film, patient), columns.prefix)
        else:
            cells = from_listed(frame, columns.listed, asked)
    pairs = frame.select(film, *filter(None, [patient])).unique(maintain_order=True)
    _refuse_twice(pairs, film, f"{name} gives", "more than one patient")
    return LabelTable(name, tuple(pairs[film]), by_plain_name(cells, name), tuple(pairs[patient]) if patient else None)


def _frame(path: Path) -> pl.DataFrame:
    frame = read_cells(path)
    if not frame.height:
        raise CannotScore(f"{path} holds no row")
    if odd := [
        name for name, kind in frame.schema.items() if kind.is_nested() or kind.base_type() in (pl.Binary, pl.Object)
    ]:
        raise FilesDoNotFit(
            [f"{path}: {counted(len(odd), 'column')} neither text nor numbers, leave them out: {examples(odd)}"]
        )
    return frame


def _film_column(frame: pl.DataFrame, path: str, asked: str | None) -> str:
    if asked is not None:
        if asked in frame.columns:
            return asked
        raise FilesDoNotFit([f"{path} has no column {asked!r}; it has {examples(frame.columns)}"])
    known = {plain(name): name for name in reversed(frame.columns)}
    found = [known[name] for name in FILM_COLUMNS if name in known]
    if not found:
        raise FilesDoNotFit(
            [f"{path} has no column for the film's id (such as film, image or path): name it with --film; it has "
             f"{examples(frame.columns)}"]
        )  # fmt: skip
    return found[0]


def _with_ids(frame: pl.DataFrame, column: str, film: str, path: str) -> pl.DataFrame:
    """The table with a column as trimmed text.

    Raises:
        FilesDoNotFit: a cell of it is blank.
    """
    frame = frame.with_columns(pl.col(column).cast(pl.String).fill_null("").str.strip_chars())
    if (blank := frame[column] == "").any():
        told = [f"row {at + 1}" for at in blank.arg_true()] if column == film else frame[film].filter(blank).to_list()
        raise FilesDoNotFit([f"{path}, column {column!r}: {counted(len(told), 'blank cell')}: {examples(told)}"])
    return frame


def _refuse_twice(frame: pl.DataFrame, film: str, before: str, after: str) -> None:
    twice = frame[film].filter(frame[film].is_duplicated()).unique(maintain_order=True).to_list()
    if twice:
        raise FilesDoNotFit([f"{before} {counted(len(twice), 'film')} {after}: {examples(twice)}"])
