"""What a file is by its first bytes, whatever its name ends in."""

from __future__ import annotations

import re
import struct

READ = 1024
"""Bytes that identify a file: a DICOM file's meta information begins at byte 132 and ends within these."""
FILMS = ("PNG", "JPEG", "JPEG 2000", "TIFF", "BMP", "DICOM")
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"), (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"II+\x00", "TIFF"), (b"MM\x00+", "TIFF"),
    (b"GIF8", "GIF"), (b"%PDF", "pdf"), (b"PK\x03\x04", "zip"), (b"\x1f\x8b", "gz"), (b"<?xml", "xml"),
)  # fmt: skip
_STORED = re.compile(rb"\x02\x00\x02\x00UI..([0-9.]+)", re.DOTALL)  # Media Storage SOP Class UID
_NO_FILM = (
    ("1.2.840.10008.1.3.10", "DICOMDIR"),
    ("1.2.840.10008.5.1.4.1.1.11.", "DICOM presentation state"),
    ("1.2.840.10008.5.1.4.1.1.88.59", "DICOM key object selection"),
    ("1.2.840.10008.5.1.4.1.1.88.", "DICOM structured report"),
    ("1.2.840.10008.5.1.4.1.1.104.", "DICOM document"),
    ("1.2.840.10008.5.1.4.1.1.9.", "DICOM waveform"),
)  # fmt: skip
_BITMAP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
_VALUES = re.compile(rb"AE|AS|AT|CS|DA|DS|DT|IS|LO|LT|OB|OW|PN|SH|SQ|ST|TM|UI|UL|UN|US|UT")


def sniff(start: bytes) -> str | None:
    """The kind of a file that begins with `start`: one of `FILMS`, another that is known, or None.

    DICOM files that hold no film have kinds of their own: ``DICOMDIR``, ``DICOM structured report`` and others.

    Args:
        start: the first `READ` bytes, or all of a shorter file.
    """
    if data_set_at(start) is not None:
        stored = _STORED.search(start)
        made = stored[1].decode() if stored else ""
        return next((kind for uid, kind in _NO_FILM if made.startswith(uid)), "DICOM")
    for magic, kind in _STARTS:
        if start.startswith(magic):
            return kind
    if start.startswith(b"BM") and int.from_bytes(start[14:18], "little") in _BITMAP_HEADERS:
        return "BMP"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[4:8] == b"ftyp":
        return "HEIF" if start[8:11] in (b"hei", b"mif", b"avi") else "video"
    return None


def data_set_at(start: bytes) -> int | None:
    """Where to begin to read a DICOM file; None for any other.

    That is 0 where its mark stands at byte 128, or its data set at byte 0; else where its data set stands after a
    preamble whose mark is spoilt or missing.

    Args:
        start: the first `READ` bytes.
    """
    if start[128:132] == b"DICM":
        return 0
    return next((at for at in (0, 128, 132) if _is_element(start, at)), None)


def _is_element(start: bytes, at: int) -> bool:
    """Whether the bytes at `at` are the first element of a data set: of group 2 or 8, and with a sensible length."""
    if len(start) < at + 8:
        return False
    for order in "<>":
        group, element = struct.unpack_from(f"{order}HH", start, at)
        if group in (2, 8) and element < 0x100 and _VALUES.match(start, at + 4):
            return True
    group, element, length = struct.unpack_from("<HHI", start, at)  # implicit, so the next element must fit too
    after = at + 8 + length
    if group not in (2, 8) or element >= 0x100 or length % 2 or length > 256 or len(start) < after + 4:
        return False
    return (group, element) < struct.unpack_from("<HH", start, after) < (0x11, 0)
