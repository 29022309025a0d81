"""A DICOM file as a grey film of 8 bits: opened with its mark or without, checked, decoded, and its header read."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from storage.png import MOST_PIXELS
from tasks.corpora.archives.dicom_checks import check, name_of
from tasks.corpora.archives.dicom_values import greys_of
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.film import said
from tasks.corpora.archives.image import Film, Header
from tasks.corpora.archives.sniff import READ, data_set_at

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_DEFERRED = 1 << 28  # bytes of an element that are not read before they are needed


def read_dicom(path: Path) -> Film:
    """Read one frame: uncompressed, RLE, JPEG baseline or JPEG 2000; what else pydicom finds a decoder for.

    A file without its preamble or its mark is read as what it is by its first elements.

    Raises:
        UnreadableFilm: damaged, without an image, not decodable here, or with pixels that are not known; the message
            says which, and has no path.
    """
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE  # an age without its unit is no news
    try:
        data = _opened(path)
        check(data)
        return Film(greys_of(data), _kind(data), _header(data))
    except UnreadableFilm:
        raise
    except Exception as error:  # pydicom and its decoders raise whatever a damaged file makes them stumble over
        raise UnreadableFilm(f"damaged ({' '.join(str(error).split())[:200]}); get it anew") from error


def _opened(path: Path) -> Any:
    import pydicom

    with path.open("rb") as file:
        start = file.read(READ)
    at = data_set_at(start)
    if _DEFLATED in start:
        _refuse_inflated(path.read_bytes())
    source = io.BytesIO(path.read_bytes()[at:]) if at else path
    data = pydicom.dcmread(source, force=True, defer_size=_DEFERRED)  # so that many frames are refused unread
    if not getattr(data.file_meta, "TransferSyntaxUID", None):
        data.file_meta.TransferSyntaxUID = _syntax_of(data)
    return data


def _refuse_inflated(file: bytes) -> None:
    """A deflated data set becomes no more bytes than a film's pixels of 16 bits in three colours may take."""
    begin = 144 + int.from_bytes(file[140:144], "little")  # after the meta information, whose length comes first
    most = 6 * MOST_PIXELS
    if len(zlib.decompressobj(-zlib.MAX_WBITS).decompress(file[begin:], most + 1)) > most:
        raise UnreadableFilm(f"refused, its data set inflates to more than {most} bytes")


def _syntax_of(data: Any) -> Any:
    """The transfer syntax of a data set that does not name it, from how its elements are written."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "PixelData" in data and data["PixelData"].is_undefined_length:
        raise UnreadableFilm("its pixels are compressed, and no transfer syntax says how; export the file anew")
    implicit, little = data.original_encoding
    if not little:
        return ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian


def _kind(data: Any) -> str:
    syntax = data.file_meta.TransferSyntaxUID
    packed = name_of(syntax) if syntax.is_compressed else "uncompressed"
    return f"DICOM {data.PhotometricInterpretation} {data.BitsStored} bits, {packed}"


def _header(data: Any) -> Header:
    names = ("PatientID", "StudyInstanceUID", "ViewPosition", "PatientSex", "PatientAge")
    return Header(*(said(str(data.get(name) or "")) for name in names))
