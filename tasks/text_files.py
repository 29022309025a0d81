"""Text files as people save them: UTF-8 with or without a mark, UTF-16 and UTF-32, and old single-byte files.

Every table, list, bank, report and JSON file from outside is read through here, so that a byte order mark never
becomes part of the first id of a list.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

LEGACY = "cp1252"
"""How bytes that are no UTF-8 are read: what Windows writes for western languages, and Latin-1 but for 32 codes."""

_MARKS = (  # UTF-32 first: its little-endian mark starts with the one of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHUNK = 1 << 20


class TextError(ValueError):
    """A file holds no text, or more than the reader takes, or it cannot be read; the message names it."""


def read_text(path: Path, *, most: int = 1 << 30) -> str:
    """The whole text of a file, plain or ``.gz``; see `open_text`.

    Args:
        path: the file.
        most: characters that are taken; a longer text is refused, so that a small archive cannot fill the memory.

    Raises:
        TextError: missing, damaged, binary or too long.
    """
    with open_text(path) as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise TextError(f"{path}: more than {most} characters, which is too long for a file of its kind")
    return text


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOBase]:
    """Open a text file, plain or ``.gz``, in the encoding that `encoding_of` finds; line ends stay as they are.

    Raises:
        TextError: missing, damaged or binary; also while the file is read.
    """
    encoding = encoding_of(path)
    try:
        with io.TextIOWrapper(_open(path), encoding=encoding, newline="") as file:
            yield file
    except (OSError, EOFError, zlib.error, UnicodeError) as error:
        raise TextError(f"{path}: cannot be read to its end ({_reason(error)})") from error


def encoding_of(path: Path) -> str:
    """The codec of a text file: that of its byte order mark, else UTF-8 if all of it is, else `LEGACY`.

    Raises:
        TextError: missing or damaged, or it holds zero bytes without a mark, as only binary files do.
    """
    try:
        with _open(path) as file:
            return _encoding(iter(lambda: file.read(_CHUNK), b""), str(path))
    except (OSError, EOFError, zlib.error) as error:
        raise TextError(f"{path}: {_reason(error)}") from error


def decode_text(data: bytes, where: str) -> str:
    """Bytes as text by the rule of `encoding_of`.

    Raises:
        TextError: the bytes are no text; the message begins with `where`.
    """
    encoding = _encoding(iter([data]), where)
    try:
        return data.decode(encoding)
    except UnicodeError as error:
        raise TextError(f"{where}: cannot be read as {encoding} ({_reason(error)})") from error


def _encoding(chunks: Iterator[bytes], where: str) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    first, utf8, legacy = True, True, LEGACY
    for chunk in chunks:
        if first:
            marked = next((codec for mark, codec in _MARKS if chunk.startswith(mark)), None)
            if marked in ("utf-16", "utf-32"):
                return marked
            first = False
        if b"\0" in chunk:
            raise TextError(f"{where}: holds zero bytes; it is no text, or UTF-16 without its mark: save it as UTF-8")
        if utf8:
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError:
                utf8 = False
        if legacy == LEGACY:
            try:
                chunk.decode(LEGACY)
            except UnicodeDecodeError:
                legacy = "latin-1"
    if utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            utf8 = False
    return "utf-8-sig" if utf8 else legacy


def _open(path: Path) -> IO[bytes]:
    return cast(IO[bytes], gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb"))


def _reason(error: BaseException) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
