"""Small files of predictions and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

Rows = Sequence[Mapping[str, object]]


def write(path: Path, rows: Rows) -> Path:
    """Rows as CSV, gzipped CSV or Parquet, by the ending of `path`."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    elif path.suffix == ".gz":
        import gzip

        path.write_bytes(gzip.compress(frame.write_csv().encode()))
    else:
        frame.write_csv(path)
    return path


PREDICTIONS = [
    {"film": "a", "Edema": 0.9, "Lung_Mass": 0.1},
    {"film": "b", "Edema": 0.2, "Lung_Mass": 0.8},
    {"film": "c", "Edema": 0.4, "Lung_Mass": 0.3},
    {"film": "d", "Edema": 0.3, "Lung_Mass": 0.7},
]
LABELS = [
    {"film": "d", "lung mass": 1, "edema": 0, "patient": "p2"},
    {"film": "b", "lung mass": 1, "edema": 0, "patient": "p1"},
    {"film": "c", "lung mass": 0, "edema": 1, "patient": "p2"},
    {"film": "a", "lung mass": 0, "edema": 1, "patient": "p1"},
]
