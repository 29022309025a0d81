"""Read the columns of a bank's file: CSV (with commas, semicolons or tabs), YAML, JSON or Parquet."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.plan.errors import BankError
from tasks.recipe.errors import RecipeError, did_you_mean
from tasks.recipe.reading import parse_json, parse_yaml
from tasks.text_files import TextError, encoding_of, open_text, read_text

REQUIRED = ("type", "term")
OPTIONAL = ("label", "present", "sides", "zones", "severities", "count")
MOST_ROWS = 5_000_000
MOST_VALUES = 1_000_000
"""Of a YAML file, which takes a minute for so many."""
MOST_CHARACTERS = 1 << 28
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class BankTable:
    """The rows of a bank's file, column by column.

    Args:
        rows: the number by which a message names each row: the line of a CSV, else from 1.
        columns: the values of each known column, one a row; a column that the file lacks is missing.
    """

    rows: Sequence[int]
    columns: Mapping[str, Sequence[Any]]


def read_table(bank: str) -> BankTable:
    """The columns of a bank's file; rows without any value are passed over.

    Raises:
        BankError: no such file or format, a damaged file, an unknown, missing or doubled column.
    """
    path = Path(bank).expanduser()
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise BankError(f"plan.bank: {bank!r} is neither 'phantom' nor a {', '.join(_READERS)} file")
    try:
        if not path.is_file():
            raise BankError(f"entity bank {bank}: {'is a folder' if path.is_dir() else 'No such file or directory'}")
        return _READERS[suffix](path)
    except OSError as error:
        raise BankError(f"entity bank {bank}: {error.strerror or error}") from error
    except (TextError, RecipeError, _Unreadable, RecursionError, MemoryError) as error:
        reason = str(error).removeprefix(f"{path}: ") or type(error).__name__
        raise BankError(f"entity bank {bank} is not a readable {suffix[1:]} file: {reason}") from error


def encoding_note(bank: str) -> str | None:
    """A note on how a bank's text was decoded; None where it is UTF-8 or marked."""
    path = Path(bank).expanduser()
    if path.suffix.lower() == ".parquet" or (encoding := encoding_of(path)).startswith("utf"):
        return None
    return (
        f"entity bank {bank} is no UTF-8 and was read as {encoding}: save it as UTF-8 if words with accents are wrong"
    )


class _Unreadable(ValueError):
    """A file that is no table of its kind."""


def _read_csv(path: Path) -> BankTable:
    with open_text(path) as file:
        first = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=_delimiter(first), strict=True)
        try:
            names = [name.strip().strip("\ufeff").lower() for name in next(reader, [])]
            width, rows, cells = len(names), list[int](), list[Sequence[str]]()
            for row in reader:
                if len(row) > width and any(cell.strip() for cell in row[width:]):
                    raise _Unreadable(
                        f"line {reader.line_num} has more cells than the header; put quotes around a comma"
                    )
                if "".join(row).strip():
                    rows.append(reader.line_num)
                    cells.append(row if len(row) == width else (*row, *[""] * (width - len(row)))[:width])
                    if len(rows) > MOST_ROWS:
                        raise _Unreadable(f"it has more than {MOST_ROWS} rows")
        except csv.Error as error:
            raise _Unreadable(f"line {reader.line_num}: {error}") from error
    named = [(at, name) for at, name in enumerate(names) if name and not name.startswith("unnamed:")]
    _check_names([name for _, name in named], bool(cells))
    return BankTable(rows, {name: [row[at] for row in cells] for at, name in named})


def _delimiter(header: str) -> str:
    """The sign that parts the cells of a header: a comma, unless only another one gives the two columns."""
    for sign in _DELIMITERS:
        names = {name.strip().strip('"\ufeff').lower() for name in header.split(sign)}
        if names.issuperset(REQUIRED):
            return sign
    return ","


def _check_names(names: Sequence[str], rows: bool) -> None:
    for name in names:
        if name not in REQUIRED + OPTIONAL:
            raise _Unreadable(f"unknown column {name!r}{did_you_mean(name, REQUIRED + OPTIONAL)}")
        if names.count(name) > 1:
            raise _Unreadable(f"the column {name!r} is there twice")
    missing = [name for name in REQUIRED if name not in names]
    if missing and rows:
        raise _Unreadable(f"the column {missing[0]!r} is missing")


def _items(data: Any) -> BankTable:
    """The table of a list of mappings."""
    if isinstance(data, Mapping):
        data = data.get("entities")
    if data is None:
        return BankTable([], {})
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise _Unreadable("a list of mappings is needed, alone or under the key 'entities'")
    names = list(dict.fromkeys(str(name) for item in data for name in item))
    _check_names(names, bool(data))
    return BankTable(range(1, len(data) + 1), {name: [item.get(name) for item in data] for name in names})


def _read_yaml(path: Path) -> BankTable:
    return _items(parse_yaml(read_text(path, most=MOST_CHARACTERS), str(path), MOST_VALUES))


def _read_json(path: Path) -> BankTable:
    text = read_text(path, most=MOST_CHARACTERS)
    return _items(parse_json(text, str(path)) if text.strip() else None)


def _read_parquet(path: Path) -> BankTable:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        if file.metadata.num_rows > MOST_ROWS:
            raise _Unreadable(f"it has more than {MOST_ROWS} rows")
        names = file.schema_arrow.names
        _check_names([name for name in names if not name.startswith("__index_level_")], file.metadata.num_rows > 0)
        known = [name for name in names if name in REQUIRED + OPTIONAL]
        table = file.read(columns=known)
        return BankTable(range(1, table.num_rows + 1), {name: table.column(name).to_pylist() for name in known})
    except (ArrowException, UnicodeError) as error:
        raise _Unreadable(str(error).splitlines()[0]) from error


_READERS: Mapping[str, Callable[[Path], BankTable]] = {
    ".csv": _read_csv,
    ".yaml": _read_yaml,
    ".yml": _read_yaml,
    ".json": _read_json,
    ".parquet": _read_parquet,
}
