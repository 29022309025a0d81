"""A file as a table of cells: CSV as spreadsheets of any country save it, or Parquet."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from pathlib import Path

import polars as pl

from tasks.evaluate.labels import CannotScore
from tasks.text_files import TextError, decode_text

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_SEPARATORS = ",;\t|"
_DECLARED = re.compile(rb"\"?sep=(.)\"?\r?\n", re.IGNORECASE)  # a spreadsheet's own first line
_DECIMAL_COMMA = r"^\s*([-+]?\d+),(\d+(?:[eE][-+]?\d+)?)\s*$"


def read_cells(path: Path) -> pl.DataFrame:
    """The table in a file: Parquet by the ending ``.parquet`` or ``.pq``, else CSV, whose cells are texts.

    CSV may be gzipped, in UTF-8, or in UTF-16 or UTF-32 with a mark, and separated by commas, semicolons, tabs or
    bars; between semicolons a number may have a decimal comma.

    Raises:
        CannotScore: the file is no table; the message names it.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if not data:
        raise CannotScore(f"{path} is empty")
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            return pl.read_parquet(io.BytesIO(data))
        except pl.exceptions.PolarsError as error:
            raise CannotScore(f"{path} cannot be read as Parquet, which its ending tells: {_told(error)}") from error
    if data.startswith(_PARQUET):
        raise CannotScore(f"{path} is Parquet, not CSV: give it the ending .parquet")
    return _csv(_utf8(data, path), path)


def _utf8(data: bytes, path: Path) -> bytes:
    """Text of a file without its compression and its mark, in UTF-8 where it has a mark of another encoding."""
    try:
        data = gzip.decompress(data) if data.startswith(_GZIP) else data
        if data.startswith(_MARKS):
            return decode_text(data, str(path)).encode()
    except (OSError, EOFError, zlib.error) as error:
        raise CannotScore(f"{path} cannot be unpacked: {_told(error)}") from error
    except TextError as error:
        raise CannotScore(str(error)) from error
    if b"\0" in data[:4096]:
        raise CannotScore(f"{path} holds zero bytes; it is no text, or UTF-16 without its mark: save it as UTF-8")
    return data.removeprefix(codecs.BOM_UTF8)


def _csv(data: bytes, path: Path) -> pl.DataFrame:
    declared = _DECLARED.match(data)
    data = data[declared.end() :] if declared else data
    separator = declared[1].decode("latin-1") if declared else _separator(data)
    try:
        frame = pl.read_csv(io.BytesIO(data), infer_schema=False, separator=separator)
    except pl.exceptions.PolarsError as error:
        raise CannotScore(f"{path} cannot be read as CSV: {_told(error)}") from error
    if separator == ";":
        frame = frame.with_columns(pl.col(pl.String).str.replace(_DECIMAL_COMMA, "${1}.${2}"))
    return frame


def _separator(data: bytes) -> str:
    """The mark that cuts the header into most cells; a comma where none cuts it."""
    header = data.lstrip(b"\r\n").split(b"\n", 1)[0].decode("utf-8", "replace")
    return max(_SEPARATORS, key=lambda mark: len(next(csv.reader([header], delimiter=mark), [""])))


def _told(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "truncate_ragged_lines" in text:  # an option of a library, which no user can set
        return "a row has more cells than the header: name every column, or quote text that holds the separator"
    return text[:200]
