"""Tables of an archive: found by name, read row by row, and missed by name."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks.archives.errors import ArchiveError

HEAD = 1 << 16  # bytes that tell a table's columns
csv.field_size_limit(1 << 24)  # a run-length mask is one cell


def find_tables(root: Path, *patterns: str) -> list[Path]:
    """Files in `root` and the folders in it that match one of `patterns`, as ``.csv`` or ``.csv.gz``, sorted."""
    ends = ("", "*/")
    found = {
        path
        for pattern in patterns
        for end in ends
        for gz in ("", ".gz")
        for path in root.glob(f"{end}{pattern}{gz}")
        if path.is_file()
    }
    return sorted(found)


def need_table(root: Path, *patterns: str) -> Path:
    """The first of `find_tables`.

    Raises:
        ArchiveError: there is none.
    """
    found = find_tables(root, *patterns)
    if not found:
        raise ArchiveError(f"{root} holds no {' or '.join(patterns)} (plain or .gz), and no folder in it does")
    return found[0]


def header_of(path: Path) -> list[str]:
    """The names of the columns, without blanks around them; only the beginning of the file is read.

    Raises:
        ArchiveError: the file is damaged there.
    """
    try:
        with _opener(path)(path, "rb") as file:
            head = file.read(HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise ArchiveError(f"{path} cannot be read ({error}): get it anew") from error
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # the last character may be cut in two
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    return [name.strip() for name in next(csv.reader(io.StringIO(text, newline="")), [])]


def read_rows(path: Path, *need: str) -> Iterator[dict[str, str]]:
    """Rows of a table as column to text, blanks around both stripped; what a short row lacks is empty.

    Args:
        path: ``.csv`` or ``.csv.gz``, UTF-8 with or without a mark, else Latin-1.
        need: columns without which the table is of no use; ``a|b`` is either.

    Raises:
        ArchiveError: a column of `need` is missing, or the file is damaged.
    """
    try:
        with _text(path) as file:
            rows = csv.reader(file)
            names = [name.strip() for name in next(rows, [])]
            lacking = [name for name in need if not set(name.split("|")) & set(names)]
            if lacking:
                wanted = ", ".join(name.replace("|", " or ") for name in lacking)
                raise ArchiveError(f"{path} has no column {wanted}; it has {', '.join(names) or 'none'}")
            for row in rows:
                if row:
                    cells = [cell.strip() for cell in row] + [""] * (len(names) - len(row))
                    yield dict(zip(names, cells, strict=False))
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise ArchiveError(f"{path} cannot be read to its end ({error}): get it anew") from error


@contextmanager
def _text(path: Path) -> Iterator[io.TextIOBase]:
    """A table's text; read as Latin-1 where it is no UTF-8, which only reading all of it can tell."""
    opener, encoding = _opener(path), "utf-8-sig"
    try:
        with opener(path, "rt", encoding=encoding) as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        encoding = "latin-1"
    with opener(path, "rt", encoding=encoding, newline="") as file:
        yield file  # pyright: ignore[reportReturnType]


def _opener(path: Path) -> Callable[..., Any]:
    return gzip.open if path.suffix == ".gz" else open
