"""Tables of an archive: found by name, read row by row whatever program saved them, and missed by name."""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from typing import Any

from tasks.corpora.archives.errors import ArchiveError
from tasks.text_files import LEGACY, TextError, decode_text, open_text

ENDINGS = (".csv", ".tsv", ".xlsx", ".xls", ".json", ".jsonl", ".parquet")
"""How tables end that a folder may hold; layouts read ``.csv`` and ``.tsv``, each plain or ``.gz``."""
HEAD = 1 << 16  # bytes from which a table's columns are read
_DELIMITERS = ",;\t|"
_OPEN_QUOTE = "a quote opens there and nobody closes it: mend it"
_LONGEST_ROW = 5000  # lines: a longer row is an unclosed quote
_SEPARATOR = re.compile(r"\"?sep=(.)\"?", re.IGNORECASE)  # Excel's own first line
_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
csv.field_size_limit(1 << 24)  # a run-length mask is one cell


class Row(dict[str, str]):
    """Cells by column, blanks around both stripped, with the table and the line where the row ends in it."""

    __slots__ = ("line", "table")

    def __init__(self, cells: Iterable[tuple[str, str]], table: Path, line: int) -> None:
        super().__init__(cells)
        self.table, self.line = table, line

    @property
    def where(self) -> str:
        """Its table and line, for a message."""
        return f"{self.table}, line {self.line}"


def walk_files(root: Path, depth: int, endings: tuple[str, ...]) -> Iterator[Path]:
    """Every file in `root` and `depth` levels of folders below whose name, without ``.gz``, has one of `endings`.

    Hidden ones are left out.
    """
    for folder, below, names in os.walk(root, followlinks=True):
        level = len(Path(folder).relative_to(root).parts)
        below[:] = sorted(name for name in below if not name.startswith(".")) if level < depth else []
        for name in sorted(names):
            if name.lower().removesuffix(".gz").endswith(endings) and not name.startswith("."):
                yield Path(folder, name)


def find_tables(root: Path, *patterns: str) -> list[Path]:
    """Files in `root` and the folders in it whose names match one of `patterns`, in any case, sorted.

    A pattern ``a*.csv`` also finds ``.tsv`` and ``.gz``; of a table that lies there both plain and packed the plain
    one is taken.
    """
    found: dict[Path, Path] = {}
    for path in sorted(walk_files(root, 1, (*ENDINGS, ".txt"))):
        if is_named(path, patterns):
            found.setdefault(path.with_name(_plain_name(path)), path)
    return sorted(found.values())


def is_named(path: Path, patterns: Iterable[str]) -> bool:
    """Whether a file's name matches one of `patterns` as `find_tables` compares them."""
    return any(fnmatchcase(_plain_name(path), pattern.lower()) for pattern in patterns)


def _plain_name(path: Path) -> str:
    return re.sub(r"\.tsv$", ".csv", path.name.lower().removesuffix(".gz"))


def need_table(root: Path, *patterns: str) -> Path:
    """The first of `find_tables`.

    Raises:
        ArchiveError: there is none.
    """
    found = find_tables(root, *patterns)
    if not found:
        raise ArchiveError(f"{root} holds no {' or '.join(patterns)} (plain or .gz), and no folder in it does")
    return found[0]


def lacking(names: Iterable[str], need: Iterable[str]) -> list[str]:
    """Which columns of `need` are not among `names`, in any case; ``a|b`` is either."""
    have = {_key(name) for name in names}
    return [column for column in need if not have & {_key(name) for name in column.split("|")}]


def header_of(path: Path) -> list[str]:
    """The names of the columns, blanks stripped; only the beginning of the file is read.

    Raises:
        ArchiveError: the file is damaged there, or it holds no text.
    """
    try:
        with _opener(path)(path, "rb") as file:
            head = file.read(HEAD)
        lines = _first_text(head, str(path)).splitlines(keepends=True)
        delimiter, skipped, header = _prelude(iter(lines))
        return [_plain(name) for name in next(csv.reader([header, *lines[skipped + 1 :]], delimiter=delimiter), [])]
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise ArchiveError(f"{path} cannot be read ({error}): get it anew") from error
    except TextError as error:
        raise ArchiveError(str(error)) from error


def read_rows(
    path: Path, *need: str, also: Sequence[str] = (), notes: Counter[str] | None = None, spare: bool = False
) -> Iterator[Row]:
    """Rows of a table; what a short row lacks is empty, and a column without a name is left out.

    Delimiters are commas, semicolons, tabs or bars, whichever the header has most of; lines before the header that
    are blank or begin with ``#`` are passed over.

    Args:
        path: plain or ``.gz``, in any encoding of `tasks.text_files`.
        need: columns without which the table is of no use, found in any case; ``a|b`` is either.
        also: columns that the caller reads where they are there, found in any case.
        notes: counts what was odd.
        spare: whether cells beyond the header are no fault.

    Raises:
        ArchiveError: a column of `need` is missing, a row has more cells than the header, a column of `need` or
            `also` stands twice with different cells, or the file is damaged.
    """
    line = rows = short = 0
    try:
        with open_text(path) as file:
            delimiter, skipped, header = _prelude(file)
            reader = csv.reader(chain([header], file), delimiter=delimiter, strict=True)
            columns = _columns(path, next(reader, []), need, also)
            for cells in reader:
                start, line = line, skipped + reader.line_num
                if not cells:
                    continue
                if line - start > _LONGEST_ROW and start:
                    raise ArchiveError(f"{path}, line {start + 1}: {_OPEN_QUOTE}")
                cells = [cell.strip() for cell in cells]
                if delimiter == ";":
                    cells = [c.replace(",", ".") if _DECIMAL_COMMA.fullmatch(c) else c for c in cells]
                if len(cells) > len(columns.names) and not spare and any(cells[len(columns.names) :]):
                    raise _too_long(path, line, len(cells), len(columns.names))
                rows += 1
                short += len(cells) < columns.least
                yield _row(path, line, cells, columns)
            _note(path, notes, rows, short, _legacy(file.encoding))
    except TextError as error:
        raise ArchiveError(_damaged(error)) from error
    except csv.Error as error:
        why = _OPEN_QUOTE if "end of data" in str(error) else f"{error}: look for a quote that nobody closes"
        raise ArchiveError(f"{path}, line {line + 1}: {why}") from error


def read_list(path: Path, notes: Counter[str]) -> Iterator[Row]:
    """Lines of a list as rows with the one column ``id``; blank lines and those that begin with ``#`` are no rows.

    Raises:
        ArchiveError: the file is damaged or no text.
    """
    rows = 0
    try:
        with open_text(path) as file:
            for line, text in enumerate(file, start=1):
                plain = text.strip().strip(",;\"' \t")
                if plain and not plain.startswith("#"):
                    rows += 1
                    yield Row([("id", plain)], path, line)
            _note(path, notes, rows, 0, _legacy(file.encoding))
    except TextError as error:
        raise ArchiveError(_damaged(error)) from error


@dataclass(frozen=True, slots=True)
class _Columns:
    """Names as the caller spells them, empty ones among them, and the places of those that stand several times."""

    names: list[str]
    twice: dict[str, list[int]]
    least: int  # cells up to the last column that has a name


def _columns(path: Path, header: list[str], need: Sequence[str], also: Sequence[str]) -> _Columns:
    names = [_plain(name) for name in header]
    absent = lacking(names, need)
    if absent:
        wanted = ", ".join(name.replace("|", " or ") for name in absent)
        raise ArchiveError(f"{path} has no column {wanted}; it has {', '.join(filter(None, names)) or 'none'}")
    known = {_key(name): name for column in (*need, *also) for name in column.split("|")}
    names = [known.get(_key(name), name) for name in names]
    places = {name: [at for at, other in enumerate(names) if other == name] for name in names if name}
    least = 1 + max((own[-1] for own in places.values()), default=-1)
    return _Columns(names, {name: own for name, own in places.items() if len(own) > 1}, least)


def _too_long(path: Path, line: int, cells: int, width: int) -> ArchiveError:
    return ArchiveError(
        f"{path}, line {line}: {cells} cells under a header of {width}, so that they do not stand under their names: "
        "name the first column, or quote the text that has a comma in it"
    )


def _row(path: Path, line: int, cells: list[str], columns: _Columns) -> Row:
    cells += [""] * (len(columns.names) - len(cells))
    row = Row(zip(columns.names, cells, strict=False), path, line)
    row.pop("", None)
    for name, places in columns.twice.items():
        found = list(dict.fromkeys(cells[at] for at in places if cells[at]))
        if len(found) > 1:
            raise ArchiveError(
                f"{path}, line {line}: the column {name} stands {len(places)} times, and here once with {found[0]!r} "
                f"and once with {found[1]!r}: leave one of them"
            )
        row[name] = found[0] if found else ""
    return row


def _prelude(lines: Iterable[str]) -> tuple[str, int, str]:
    """The delimiter, how many lines stand before the header, and the header's first line."""
    declared, skipped, header = None, 0, ""
    for line in lines:
        plain = line.strip("\ufeff \t\r\n")
        separator = _SEPARATOR.fullmatch(plain)
        declared = separator[1] if separator else declared
        if not separator and plain and not plain.startswith("#"):
            header = line
            break
        skipped += 1
    counts = {mark: len(next(csv.reader([header], delimiter=mark), [])) for mark in _DELIMITERS}
    return declared or max(counts, key=lambda mark: counts[mark]), skipped, header


def _first_text(head: bytes, where: str) -> str:
    """The beginning of a file as text; its last character may be cut in two."""
    for cut in range(4 if len(head) == HEAD else 1):
        try:
            text = head[: len(head) - cut].decode("utf-8-sig")
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    return decode_text(head[: len(head) // 4 * 4] if len(head) == HEAD else head, where)


def _note(path: Path, notes: Counter[str] | None, rows: int, short: int, legacy: str) -> None:
    if notes is not None:
        notes[f"rows of {path.name} that are shorter than its header"] += short
    if notes is not None and legacy:
        notes[f"rows of {path.name}, which is no UTF-8, read as {legacy}"] += rows


def _legacy(encoding: str) -> str:
    """How a file was read that is no UTF-8; empty where nothing had to be guessed."""
    return encoding if encoding in (LEGACY, "latin-1") else ""


def _damaged(error: TextError) -> str:
    return f"{error}: get it anew" if isinstance(error.__cause__, (OSError, EOFError, zlib.error)) else str(error)


def _plain(name: str) -> str:
    return " ".join(name.strip("\ufeff").split())


def _key(name: str) -> str:
    return _plain(name).casefold()


def _opener(path: Path) -> Callable[..., Any]:
    return gzip.open if path.suffix == ".gz" else open
