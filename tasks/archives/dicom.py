"""A DICOM file as a grey film of 8 bits: modality LUT, window or VOI LUT, then MONOCHROME1 turned over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.archives.errors import UnreadableFilm
from tasks.archives.film import number, said
from tasks.archives.pixels import Film, Header, refuse_bomb, to_8_bits

_TOLD_ABOUT = {  # transfer syntaxes that need a decoder which is not among our dependencies
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless",
    "1.2.840.10008.1.2.4.51": "JPEG with 12 bits",
    "1.2.840.10008.1.2.4.80": "JPEG-LS",
    "1.2.840.10008.1.2.4.81": "JPEG-LS",
}
REMEDY = "install a decoder for it (pip install python-gdcm), or store the file uncompressed (gdcmconv --raw)"


def read_dicom(path: Path) -> Film:
    """Read one frame: uncompressed, RLE, JPEG baseline or JPEG 2000; what else pydicom finds a decoder for.

    Stored values go through the modality LUT or rescale and through the first window or VOI LUT; a window that makes
    no sense is left out. Eight-bit values that none of these changes are taken as they are, all others by the rule of
    `tasks.archives.pixels.read_film`. MONOCHROME1 is turned over at the end, so that bone is bright.

    Raises:
        UnreadableFilm: damaged, several frames, larger than a film, or compressed in a way that has no decoder here.
    """
    import pydicom
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE  # an age without its unit is no news
    try:
        data = pydicom.dcmread(path)
        _refuse(path, data)
        kind = _kind(data)
        pixels = _grey(data)
    except UnreadableFilm:
        raise
    except Exception as error:  # pydicom and its decoders raise whatever a damaged file makes them stumble over
        raise UnreadableFilm(f"{path}: {_why(path, error)}") from error
    return Film(pixels, kind, _header(data))


def _refuse(path: Path, data: Any) -> None:
    lacking = [name for name in ("PixelData", "Rows", "Columns") if name not in data]
    if lacking:
        raise UnreadableFilm(f"{path}: a DICOM file without {lacking[0]} holds no image")
    frames = int(data.get("NumberOfFrames") or 1)
    if frames > 1:
        raise UnreadableFilm(f"{path}: it holds {frames} frames, a film has one; split it first")
    refuse_bomb(path, int(data.Columns), int(data.Rows))


def _grey(data: Any) -> np.ndarray:
    values = np.asarray(data.pixel_array)
    if values.ndim == 3:  # a secondary capture in colour; pydicom gives RGB
        return np.rint(values.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    shown = _through_luts(values, data)
    plain = values.dtype == np.uint8 and int(data.BitsStored) == 8 and np.array_equal(shown, values)
    grey = values if plain else to_8_bits(shown)
    return 255 - grey if data.PhotometricInterpretation == "MONOCHROME1" else grey


def _through_luts(values: np.ndarray, data: Any) -> np.ndarray:
    from pydicom.pixels.processing import apply_modality_lut, apply_voi

    shown = np.asarray(apply_modality_lut(values, data))
    return np.asarray(apply_voi(shown, data)) if data.get("VOILUTSequence") else _windowed(shown, data)


def _windowed(values: np.ndarray, data: Any) -> np.ndarray:
    """Through the first window; pydicom's own function turns films with a negative rescale slope over."""
    centre, width = (_first(data.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width < 1:
        return values
    function = data.get("VOILUTFunction") or "LINEAR"
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width))
    return np.clip(values, centre - width / 2, centre + width / 2 - (function == "LINEAR"))


def _first(value: Any) -> float | None:
    """The first of one number or of several."""
    return number(str(value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value))


def _kind(data: Any) -> str:
    syntax = data.file_meta.TransferSyntaxUID
    packed = str(syntax.name).partition(" (")[0] if syntax.is_compressed else "uncompressed"
    return f"DICOM {data.PhotometricInterpretation} {data.BitsStored} bits, {packed}"


def _why(path: Path, error: Exception) -> str:
    import pydicom

    try:
        meta = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows"]).file_meta
        packed = _TOLD_ABOUT.get(str(meta.TransferSyntaxUID))
    except Exception:  # as above
        packed = None
    if packed is not None:
        return f"its pixels are {packed}: {REMEDY}"
    return f"damaged ({' '.join(str(error).split())[:200]}); get it anew"


def _header(data: Any) -> Header:
    names = ("PatientID", "StudyInstanceUID", "ViewPosition", "PatientSex", "PatientAge")
    return Header(*(said(str(data.get(name) or "")) for name in names))
