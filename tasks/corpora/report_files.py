"""Which files of a folder hold reports: by their endings, else by their first bytes; the others by kind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.text_files import TextError, decode_text

TEXT = (".txt", ".text", ".rpt", ".rep", ".report", ".asc", ".txt.gz")
ENDINGS = {
    **dict.fromkeys(TEXT, "text"), ".xml": "xml", ".csv": "csv", ".csv.gz": "csv", ".tsv": "csv", ".tsv.gz": "csv",
    ".parquet": "parquet", ".tgz": "tar", ".tar.gz": "tar", ".tar": "tar",
}  # fmt: skip
"""How files of reports end, and how each is read."""
HEAD = 4096
_NO_REPORTS = (
    "license", "licence", "readme", "copying", "notice", "citation", "changelog", "changes", "sha256sums", "md5sums",
)  # fmt: skip
_MAGIC = (
    (b"\x89PNG", "PNG images"), (b"\xff\xd8\xff", "JPEG images"), (b"II*\0", "TIFF images"), (b"MM\0*", "TIFF images"),
    (b"BM", "BMP images"), (b"%PDF", "PDF documents"), (b"{\\rtf", "RTF documents"),
    (b"PK\x03\x04", "ZIP or Office files"), (b"\xd0\xcf\x11\xe0", "old Office files"), (b"\x1f\x8b", "gzip files"),
    (b"SQLite", "SQLite files"),
)  # fmt: skip


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def walk(root: Path) -> Iterator[Path]:
    """Every file below `root`, folder by folder in order; a folder that is linked into itself is walked once."""
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        below[:] = sorted(below) if real not in seen else []
        if real not in seen:
            yield from (Path(folder, name) for name in sorted(names))
        seen.add(real)


def kind_of(path: Path) -> tuple[str, str]:
    """How a file of a folder is read, a value of `ENDINGS`, and what it is where it is not read; one is empty.

    Raises:
        OSError: it cannot be read.
    """
    name = path.name.lower()
    if shown(path.name) != path.name:
        return "", "files with an odd name"
    if name.startswith("."):
        return "", "hidden files"
    if name.partition(".")[0] in _NO_REPORTS:
        return "", "licences, read-mes and lists of checksums"
    return read_as(path)


def read_as(path: Path) -> tuple[str, str]:
    """`kind_of` whatever the file is called.

    Raises:
        OSError: it cannot be read.
    """
    name = path.name.lower()
    known = next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), "")
    if known:
        return known, ""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return _sniffed(head, path.suffix.lower())


def shown(name: str) -> str:
    """A file's name with what is no UTF-8 in it, and every control character, written out."""
    plain = os.fsencode(name).decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda sign: f"\\x{ord(sign[0]):02x}", plain)


def _sniffed(head: bytes, suffix: str) -> tuple[str, str]:
    magic = next((kind for start, kind in _MAGIC if head.startswith(start)), "")
    magic = "" if head.startswith(b"BM") and b"\0" not in head else magic  # a text may begin so
    if magic or head[128:132] == b"DICM":
        return "", magic or "DICOM files"
    if head.startswith(b"PAR1"):
        return "parquet", ""
    if b"eCitation" in head.replace(b"\0", b""):
        return "xml", ""
    if suffix and not suffix[1:].isdigit():
        return "", f"{suffix} files"
    try:
        return ("text", "") if decode_text(head, "it").strip() else ("", "empty files")
    except TextError:
        return "", "files that are no text"
