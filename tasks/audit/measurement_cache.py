"""Measurements of films, kept in Parquet parts: a run that was broken off finds what is there, and goes on.

A row is found by its film's id, size and time of change. What measured it names the folder and stands in every part,
so another revision finds nothing; limits and rules are no part of it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.corpora.archives.film import ArchiveFilm
from tasks.errors import AuditError

MEASURED_BY = b"measured_by"
_LOG = logging.getLogger(__name__)
_KEY = {"film": pa.string(), "size": pa.int64(), "changed": pa.int64()}


@dataclass(frozen=True, slots=True)
class Key:
    """A film's id, its file's size in bytes, and when that changed in nanoseconds; both -1 for a missing file."""

    film: str
    size: int
    changed: int


def key_of(film: ArchiveFilm) -> Key:
    """The film's key as its file lies there now: take it before the file is read."""
    try:
        found = film.path.stat()
    except OSError:
        return Key(film.film, -1, -1)
    return Key(film.film, found.st_size, found.st_mtime_ns)


class MeasurementCache:
    """Rows of one kind of measurement; a part that cannot be used is named in a warning and left out.

    Args:
        folder: holds a folder for each kind and revision; made when the first part is kept.
        kind: of measurement, such as ``checks``.
        measured_by: all that the rows follow from besides the film.
        columns: name to type of what is measured.
    """

    def __init__(self, folder: Path, kind: str, measured_by: Sequence[str], columns: dict[str, pa.DataType]) -> None:
        identity = json.dumps(list(measured_by))
        self.folder = folder / f"{kind}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
        self._schema = pa.schema(list((_KEY | columns).items()), metadata={MEASURED_BY: identity})
        self._tables, self._places = [self._schema.empty_table()], dict[Key, int]()
        for path in sorted(self.folder.glob("*.parquet")):
            table = self._read(path)
            if table is not None:
                self._append(table)

    def __contains__(self, key: Key) -> bool:
        return key in self._places

    def take(self, keys: Sequence[Key]) -> pa.Table:
        """The rows of `keys` in their order."""
        places = pa.array([self._places[key] for key in keys], pa.int64())
        return pa.concat_tables(self._tables).take(places).combine_chunks()

    def add(self, rows: Sequence[tuple[Key, dict[str, Any]]]) -> None:
        """Keep rows as one part, whole or not at all; no rows are no part.

        Raises:
            AuditError: it cannot be written.
        """
        if not rows:
            return
        table = pa.Table.from_pylist([asdict(key) | row for key, row in rows], self._schema)
        name = hashlib.sha256(json.dumps([astuple(key) for key, _ in rows]).encode()).hexdigest()[:24]
        path = self.folder / f"{name}.parquet"
        half = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, half, compression="zstd", write_page_checksum=True)
            half.replace(path)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise AuditError(
                f"{path} cannot be written: {error.strerror or error}; make room, and the same command goes on"
            ) from error
        self._append(table)

    def _append(self, table: pa.Table) -> None:
        start = sum(len(each) for each in self._tables)
        keys = map(Key, *(table.column(name).to_pylist() for name in _KEY))
        self._places |= {key: at for at, key in enumerate(keys, start=start)}
        self._tables.append(table)

    def _read(self, path: Path) -> pa.Table | None:
        try:
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read()
            table.validate(full=True)
        except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: a column's name that is no UTF-8
            _LOG.warning("%s cannot be read (%s): its films are measured again", path, error)
            return None
        ours, found = self._schema.metadata, table.schema.metadata or {}
        if not table.schema.equals(self._schema) or found.get(MEASURED_BY) != ours[MEASURED_BY]:
            _LOG.warning("%s is no part of these measurements: it is left out", path)
            return None
        return table.replace_schema_metadata(ours)
