"""The three forms of a table, read into one column of cells per label.

* wide: one row per film, one column per label
* long: one row per film and label, columns ``film``, ``label`` and ``score`` (of labels: ``value`` or ``truth``)
* listed, for labels: one row per film, one column with the names of what is present, such as ``Edema|Effusion``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from models.findings.label_sets import plain
from tasks.evaluate.score_files.problems import FilesDoNotFit, counted, examples

Kind = Literal["predictions", "labels"]
Cells = dict[str, pl.Series]
VALUE_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "predictions": ("score", "probability", "prediction"),
    "labels": ("value", "truth", "target"),
}
_NO_FINDING = "no finding"


def long_columns(frame: pl.DataFrame, kind: Kind) -> tuple[str, str] | None:
    """The columns of label and value where a table is long, else None."""
    known = {plain(name): name for name in frame.columns}
    value = next((known[name] for name in VALUE_COLUMNS[kind] if name in known), None)
    return (known["label"], value) if "label" in known and value is not None else None


def from_long(frame: pl.DataFrame, film: str, label: str, value: str, path: str) -> Cells:
    """Cells by label for the films in the order in which they first appear; null where a film has no such row.

    Raises:
        FilesDoNotFit: a film has two rows of one label.
    """
    pairs = frame.select(film, label)
    if (twice := pairs.is_duplicated()).any():
        told = [f"{name} of {one}" for one, name in pairs.filter(twice).unique(maintain_order=True).iter_rows()]
        raise FilesDoNotFit([f"{path} holds {counted(len(told), 'score or label')} more than once: {examples(told)}"])
    films = frame.select(pl.col(film).unique(maintain_order=True))
    cells: Cells = {}
    for (name,), part in frame.group_by(label, maintain_order=True):
        cells[str(name)] = films.join(part.select(film, value), on=film, how="left", maintain_order="left")[value]
    return cells


def from_wide(frame: pl.DataFrame, apart: Sequence[str | None], prefix: str) -> Cells:
    """Cells by label: every column that begins with `prefix`, but for those of film and patient in `apart`."""
    names = [name for name in frame.columns if name not in apart and name.startswith(prefix)]
    return {name.removeprefix(prefix): frame[name] for name in names}


def from_listed(frame: pl.DataFrame, column: str, asked: Sequence[str]) -> Cells:
    """1 or 0 for every label that is asked for or named anywhere; null for a film with a blank cell.

    Args:
        frame: the table.
        column: with names separated by ``|``; *No Finding* is none.
        asked: labels of the predictions.
    """
    texts = [str(cell or "").strip() for cell in frame[column]]
    said = [{plain(name): name.strip() for name in text.split("|")} if text else None for text in texts]
    every = {plain(name): name for name in asked}
    for names in filter(None, said):
        every |= {key: name for key, name in names.items() if key not in every and key != _NO_FINDING}
    return {
        name: pl.Series(name, [None if names is None else int(key in names) for names in said], pl.Int8)
        for key, name in every.items()
    }


def by_plain_name(cells: Cells, path: str) -> dict[str, tuple[str, pl.Series]]:
    """Name and cells by the spelling that joins two files: without letter case, underscores and doubled spaces.

    Raises:
        FilesDoNotFit: two labels are the same but for these.
    """
    found: dict[str, tuple[str, pl.Series]] = {}
    for name, values in cells.items():
        if (other := found.setdefault(plain(name), (name, values)))[0] != name:
            raise FilesDoNotFit([f"{path} holds one label in two spellings: {other[0]}, {name}"])
    return found
