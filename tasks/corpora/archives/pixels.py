"""An image file of any of the kinds that archives hold, as a grey film of 8 bits."""

from __future__ import annotations

import stat
import warnings
from functools import cache
from pathlib import Path

from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.image import Film, Header
from tasks.corpora.archives.names import escaped
from tasks.corpora.archives.sniff import FILMS, READ, sniff

_LONGEST = 400  # characters of a reason
__all__ = ["Film", "Header", "read_film"]


def read_film(path: Path) -> Film:
    """Read a PNG, JPEG, JPEG 2000, TIFF, BMP or DICOM file by what it holds, whatever its name ends in.

    See `tasks.corpora.archives.picture` and `tasks.corpora.archives.dicom` for how greys are made of it.

    Raises:
        UnreadableFilm: missing, damaged, of another kind, not decodable here, or larger than a film (nothing is
            decoded then); the message begins with the path.
    """
    _quiet()
    try:
        kind = _kind(path)
        if kind.startswith("DICOM"):
            from tasks.corpora.archives.dicom import read_dicom

            return read_dicom(path)
        from tasks.corpora.archives.picture import read_picture

        return read_picture(path)
    except UnreadableFilm as error:
        why = escaped(" ".join(str(error).split()))[:_LONGEST]  # it may hold text out of the file
        raise UnreadableFilm(f"{escaped(path)}: {why}") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte
        reason = error.strerror if isinstance(error, OSError) else None
        raise UnreadableFilm(f"{escaped(path)}: {reason or error}") from error


@cache
def _quiet() -> None:
    """What Pillow and pydicom warn of is no news: either the film is read, or it is said why not."""
    for module in ("PIL", "pydicom"):
        warnings.filterwarnings("ignore", module=module)


def _kind(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UnreadableFilm("no file but a directory or a device")
        with path.open("rb") as file:
            start = file.read(READ)
    except FileNotFoundError:
        raise UnreadableFilm("the file is missing") from None
    if not start:
        raise UnreadableFilm("the file is empty")
    kind = sniff(start)
    if kind is None or not kind.startswith(FILMS):
        what = f", but {kind}" if kind else ""
        raise UnreadableFilm(f"no PNG, JPEG or DICOM file, nor TIFF, BMP or JPEG 2000{what}")
    return kind
