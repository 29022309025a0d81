"""A file of predictions or labels as films times labels, its cells parsed when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.evaluate.score_files.problems import FilesDoNotFit, counted, examples

_BLANK = ("", "nan", "na", "none", "null")
_WORDS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Predictions or labels, films in the order of the file.

    Args:
        path: the file.
        films: ids, each once.
        columns: by plain spelling of a label, its name in the file and its cells, one for each film.
        patients: of each film, or None where nobody told which column holds them.
    """

    path: str
    films: tuple[str, ...]
    columns: Mapping[str, tuple[str, pl.Series]]
    patients: tuple[str, ...] | None = None

    def values(self, label: str) -> np.ndarray:
        """The numbers of a label in plain spelling, float64 (films,); NaN where a cell is blank.

        Raises:
            FilesDoNotFit: a cell holds something else.
        """
        name, cells = self.columns[label]
        if cells.dtype.is_numeric() or cells.dtype == pl.Boolean:
            return cells.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        text = cells.cast(pl.String).fill_null("").str.strip_chars()
        blank = text.str.to_lowercase().is_in(_BLANK)
        words = text.str.to_lowercase().replace_strict(_WORDS, default=None, return_dtype=pl.Float64)
        numbers = text.cast(pl.Float64, strict=False).fill_null(words)
        if (odd := numbers.is_null() & ~blank).any():
            wrong = [f"{film}: {text[at]!r}" for at, film in enumerate(self.films) if odd[at]]
            holds = "holds" if len(wrong) == 1 else "hold"
            told = f"{counted(len(wrong), 'cell')} that {holds} no number: {examples(wrong)}"
            raise FilesDoNotFit([f"{self.path}, column {name!r}: {told}"])
        return numbers.fill_null(float("nan")).to_numpy()
