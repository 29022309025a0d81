"""Read reports from where they lie: text files, CSV, Parquet, the MIMIC-CXR folders, OpenI's XML, alone or mixed.

MIMIC-CXR's reports are text files in ``files/p10/p10000032/s50414267.txt`` and are named by their stem;
``mimic_cxr_sectioned.csv`` is a table like any other.
"""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.archives.openi import read_openi
from tasks.audit.errors import AuditError

SECTIONS = ("findings", "impression")
WHOLE = ("report", "text", "report_text", "caption", "report impression", "conclusion")
KEYS = ("sample_id", "study_id", "study", "uid", "id", "dicom_id", "image_id", "reportid")


@dataclass(frozen=True, slots=True)
class Report:
    """One report with a name that finds it again."""

    name: str
    text: str


@dataclass(slots=True)
class Corpus:
    """Reports one by one; `problems` fills with what could not be read while `reports` is read to its end."""

    path: Path
    column: str | None = None
    problems: list[str] = field(default_factory=list)

    def reports(self) -> Iterator[Report]:
        """Every report that has a word in it.

        Raises:
            AuditError: no such path, no reports below it, or a table without a column of text.
        """
        files = self._files()
        found = 0
        for file in files:
            try:
                for report in _reader(file)(file, self.column):
                    if report.text.strip():
                        found += 1
                        yield report
            except AuditError:
                raise
            except (OSError, ValueError, EOFError, csv.Error, tarfile.TarError) as error:
                self.problems.append(f"{file}: {error}")
        if not found:
            more = f"; {self.problems[0]}" if self.problems else ""
            raise AuditError(f"{self.path} holds no report with a word in it{more}")

    def _files(self) -> list[Path]:
        if self.path.is_file():
            if _reader(self.path) is _unknown:
                raise AuditError(
                    f"{self.path}: reports are read from {', '.join(_READERS)} files, or a folder of them"
                )
            return [self.path]
        if not self.path.is_dir():
            raise AuditError(f"reports: {self.path} does not exist")
        files = [file for file in sorted(self.path.rglob("*")) if file.is_file() and _reader(file) is not _unknown]
        if not files:
            raise AuditError(f"{self.path} holds no {', '.join(_READERS)} file")
        return files


Reader = Callable[[Path, str | None], Iterator[Report]]


def _text(path: Path, _: str | None) -> Iterator[Report]:
    yield Report(path.stem, _decode(path.read_bytes()))


def _xml(path: Path, _: str | None) -> Iterator[Report]:
    yield Report(path.stem, read_openi(path.read_bytes()).text)


def _tar(path: Path, _: str | None) -> Iterator[Report]:
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.endswith((".xml", ".txt")) else None
            if file is not None:
                data = file.read()
                text = read_openi(data).text if member.name.endswith(".xml") else _decode(data)
                yield Report(Path(member.name).stem, text)


def _csv(path: Path, column: str | None) -> Iterator[Report]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    delimiter = "\t" if ".tsv" in path.suffixes else ","
    reader = csv.DictReader(io.StringIO(_decode(data), newline=""), delimiter=delimiter)
    yield from _rows(path, list(reader.fieldnames or ()), reader, column)


def _parquet(path: Path, column: str | None) -> Iterator[Report]:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        names = [str(name) for name in file.schema_arrow.names]
        wanted = [name for name in names if name == column or name.lower() in (*SECTIONS, *WHOLE, *KEYS)]
        rows = (row for batch in file.iter_batches(columns=wanted) for row in batch.to_pylist())
        yield from _rows(path, names, rows, column)
    except ArrowException as error:
        raise ValueError(str(error)) from error


def _rows(path: Path, names: list[str], rows: Any, column: str | None) -> Iterator[Report]:
    by_name = {name.lower().strip(): name for name in names}
    if column is not None and column not in names:
        raise AuditError(f"{path} has no column {column!r}; it has {', '.join(names) or 'none'}")
    sections = [name for name in SECTIONS if name in by_name]
    whole = next((name for name in WHOLE if name in by_name), None)
    if column is None and not sections and whole is None:
        raise AuditError(
            f"{path} has no column called {', '.join((*SECTIONS, *WHOLE))}; "
            f"say which of {', '.join(names) or 'none'} holds the text with --column"
        )
    keys = [by_name[name] for name in KEYS if name in by_name]
    for number, row in enumerate(rows, start=1):
        if column is not None:
            text = _cell(row, column)
        elif sections:
            text = "\n\n".join(f"{name.upper()}: {_cell(row, by_name[name])}" for name in sections)
            text = text if any(_cell(row, by_name[name]) for name in sections) else ""
        else:
            text = _cell(row, by_name[str(whole)])
        yield Report(next((str(row[key]) for key in keys if row.get(key)), f"{path.stem}-{number}"), text)


def _cell(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    text = value.strip() if isinstance(value, str) else ""
    return "" if text.lower() in ("nan", "none", "null") else text


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unknown(path: Path, _: str | None) -> Iterator[Report]:
    raise AuditError(f"{path} is no file of reports")


_READERS: Mapping[str, Reader] = {
    ".txt": _text, ".xml": _xml, ".csv": _csv, ".csv.gz": _csv, ".tsv": _csv, ".parquet": _parquet, ".tgz": _tar,
    ".tar.gz": _tar,
}  # fmt: skip


def _reader(path: Path) -> Reader:
    name = path.name.lower()
    return next((reader for suffix, reader in _READERS.items() if name.endswith(suffix)), _unknown)
