"""Read reports from where they lie: text files, CSV, Parquet, the MIMIC-CXR folders, OpenI's XML, alone or mixed.

MIMIC-CXR's reports are text files in ``files/p10/p10000032/s50414267.txt`` and are named by their stem;
``mimic_cxr_sectioned.csv`` is a table like any other. Files without an ending are recognised by their content.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.corpora.archives.openi import read_openi
from tasks.corpora.archives.tables import header_of, read_rows
from tasks.corpora.report_files import ENDINGS, kind_of, read_as, shown, walk
from tasks.errors import AuditError
from tasks.text_files import decode_text, read_text

SECTIONS = ("findings", "impression")
WHOLE = ("report", "text", "report_text", "caption", "report impression", "conclusion")
KEYS = ("sample_id", "study_id", "study", "uid", "id", "dicom_id", "image_id", "reportid", "path_to_image")
MOST = 1 << 24  # characters of a file with one report
SHOWN = 3
NO_TEXT = "tables without a column of text"


@dataclass(frozen=True, slots=True)
class Report:
    """One report with a name that finds it again."""

    name: str
    text: str


class _NoText(AuditError):
    """A table has no column that is known to hold text."""


@dataclass(slots=True)
class Corpus:
    """Reports one by one; while `reports` is read to its end, `problems` fills with what could not be read.

    `left_out` has the names of files that hold no reports, by kind.
    """

    path: Path
    column: str | None = None
    problems: list[str] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def reports(self) -> Iterator[Report]:
        """Every report that has a word in it.

        Raises:
            AuditError: no such path, no reports below it, or the one table has no column of text.
        """
        found = 0
        for file, kind in self._files():
            try:
                for report in _READERS[kind](file, self):
                    if report.text.strip():
                        found += 1
                        yield report
            except _NoText:
                if file == self.path:
                    raise
                self.leave(NO_TEXT, file.name)
            except (OSError, ValueError, EOFError, tarfile.TarError) as error:
                self.problems.append(f"{shown(str(file))}: {str(error).removeprefix(f'{file}: ')}")
        if not found:
            more = [*self.problems[:1], *self.left_out_lines()]
            raise AuditError("; ".join([f"{self.path} holds no report with a word in it", *more]))

    def leave(self, kind: str, name: str) -> None:
        """Note a file that holds no reports."""
        self.left_out.setdefault(kind, []).append(shown(name))

    def left_out_lines(self) -> list[str]:
        """What was left out, a line for each kind: how many files, and the first names."""
        return [
            f"left out: {len(names)} {kind} ({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"
            for kind, names in sorted(self.left_out.items())
        ]

    def _files(self) -> list[tuple[Path, str]]:
        if self.path.is_file():
            kind, other = read_as(self.path)
            if not kind:
                raise AuditError(
                    f"{self.path} is one of the {other}; reports are read from {', '.join(ENDINGS)} files, or a "
                    "folder of them"
                )
            return [(self.path, kind)]
        if not self.path.is_dir():
            raise AuditError(f"reports: {self.path} does not exist")
        files = [(file, *self._kind(file)) for file in walk(self.path)]
        for file, _, other in files:
            if other:
                self.leave(other, str(file.relative_to(self.path)))
        read = [(file, kind) for file, kind, _ in files if kind]
        if not read:
            raise AuditError("; ".join([f"{self.path} holds no {', '.join(ENDINGS)} file", *self.left_out_lines()]))
        return read

    def _kind(self, file: Path) -> tuple[str, str]:
        try:
            return kind_of(file)
        except OSError as error:
            return "", f"files that cannot be opened ({error.strerror})"


Reader = Callable[[Path, Corpus], Iterator[Report]]


def _text(path: Path, _: Corpus) -> Iterator[Report]:
    yield _plain(path.name.partition(".txt")[0] if path.suffix == ".gz" else path.stem, read_text(path, most=MOST))


def _plain(name: str, text: str) -> Report:
    if text.startswith("{\\rtf"):
        raise ValueError("it is RTF: save it as plain text")
    return Report(name, text)


def _xml(path: Path, _: Corpus) -> Iterator[Report]:
    yield Report(path.stem, read_openi(path.read_bytes()).text)


def _tar(path: Path, corpus: Corpus) -> Iterator[Report]:
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            name = Path(shown(member.name))
            if not member.isfile():
                continue
            if name.suffix.lower() not in (".xml", ".txt") or name.name.startswith("."):
                corpus.leave(f"{name.suffix or 'other'} files in {path.name}", member.name)
                continue
            file = archive.extractfile(member)
            try:
                if file is None or member.size > MOST:
                    raise ValueError(f"its {member.size} bytes are more than a report has")
                data = file.read()
                xml = name.suffix.lower() == ".xml"
                yield Report(name.stem, read_openi(data).text) if xml else _plain(name.stem, decode_text(data, "it"))
            except ValueError as error:
                corpus.problems.append(f"{path}, {name}: {error}")


def _csv(path: Path, corpus: Corpus) -> Iterator[Report]:
    names = [name for name in header_of(path) if name]
    yield from _rows(path, names, read_rows(path), corpus.column)


def _parquet(path: Path, corpus: Corpus) -> Iterator[Report]:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        names = [str(name) for name in file.schema_arrow.names]
        wanted = [n for n in names if n == corpus.column or _bare(n) in (*SECTIONS, *WHOLE, *KEYS)]
        rows = (row for batch in file.iter_batches(columns=wanted) for row in batch.to_pylist())
        yield from _rows(path, names, rows, corpus.column)
    except ArrowException as error:
        raise ValueError(str(error)) from error


def _rows(path: Path, names: list[str], rows: Iterable[Mapping[str, Any]], column: str | None) -> Iterator[Report]:
    by_name = {_bare(name): name for name in reversed(names)}
    if column is not None and column not in names:
        raise _NoText(f"{path} has no column {column!r}; it has {', '.join(names) or 'none'}")
    sections = [name for name in SECTIONS if name in by_name]
    whole = next((name for name in WHOLE if name in by_name), None)
    if column is None and not sections and whole is None:
        raise _NoText(
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


def _bare(name: str) -> str:
    """A column's name as it is compared: CheXpert Plus writes ``section_findings``."""
    return name.lower().strip().removeprefix("section_")


_READERS: Mapping[str, Reader] = {"text": _text, "xml": _xml, "csv": _csv, "parquet": _parquet, "tar": _tar}
