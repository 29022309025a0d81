"""Stored pixels of a checked DICOM data set as greys of 8 bits, by the attributes of its image pixel module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.corpora.archives.dicom_checks import LOSSY, high_bit
from tasks.corpora.archives.dicom_palette import through_lut, through_palette
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.film import number
from tasks.corpora.archives.image import luminance, to_8_bits

_OVERSHOOT = 16
"""A lossy codec may leave the range of the stored bits by this part of it; what is beyond are other bits."""
_WINDOWS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def greys_of(data: Any) -> np.ndarray:
    """Greys (H, W) uint8 of the first frame.

    Monochrome values go through the modality LUT or rescale and through the first window or VOI LUT, and MONOCHROME1
    is turned over at the end; palettes and colours become their luminance. Values of 8 bits that nothing changed are
    taken as they are, deeper ones take their span.

    Args:
        data: passed by `tasks.corpora.archives.dicom_checks.check`.

    Raises:
        UnreadableFilm: a lookup table or window that is not known; decoders raise whatever damage makes them raise.
    """
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import convert_color_space

    syntax = data.file_meta.TransferSyntaxUID
    options: Any = {"correct_unused_bits": False}  # of which pydicom corrects those below HighBit alone
    values, facts = get_decoder(syntax).as_array(data, raw=True, index=0, **options)
    photometric = str(facts["photometric_interpretation"])
    values = _stored(values, data)
    exact = int(data.BitsStored) == 8 and values.dtype.kind == "u"
    if photometric == "PALETTE COLOR":
        shown, exact = through_palette(values, data, syntax.is_little_endian)
        return _rounded(shown) if exact else to_8_bits(shown)
    if photometric in ("YBR_FULL", "YBR_FULL_422"):
        if not exact:
            return to_8_bits(values[..., 0])  # Y is the luminance
        values = convert_color_space(values.astype(np.uint8), photometric, "RGB")
    if values.ndim == 3:
        return _rounded(luminance(values)) if exact else to_8_bits(luminance(values))
    shown = _windowed(_rescaled(values, data), data)
    body = ~_padding(values, data)
    if not body.any():
        raise UnreadableFilm("all of its pixels are padding")
    grey = values.astype(np.uint8) if exact and np.array_equal(shown, values) else to_8_bits(shown, body)
    return np.where(body, 255 - grey if photometric == "MONOCHROME1" else grey, np.uint8(0))


def _padding(values: np.ndarray, data: Any) -> np.ndarray:
    """Which stored values are no part of the film: its padding value, or all up to its limit."""
    first = number(str(data.get("PixelPaddingValue")))
    if first is None:
        return np.zeros(values.shape, bool)
    last = number(str(data.get("PixelPaddingRangeLimit")))
    low, high = sorted((first, first if last is None else last))
    return (values >= low) & (values <= high)


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.rint(values).astype(np.uint8)


def _stored(values: np.ndarray, data: Any) -> np.ndarray:
    """The stored bits alone, with their sign: overlays and leftovers may fill the rest of a cell."""
    bits, signed = int(data.BitsStored), bool(data.PixelRepresentation)
    values = values.astype(np.dtype(f"{'i' if signed else 'u'}{values.dtype.itemsize}"), copy=False)
    above = 8 * values.dtype.itemsize - bits
    if int(data.BitsAllocated) == 1 or not above:
        return values
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if str(data.file_meta.TransferSyntaxUID) in LOSSY:
        margin = (high - low) // _OVERSHOOT
        if low - margin <= int(values.min()) and int(values.max()) <= high + margin:
            return np.clip(values, low, high)
    below = high_bit(data) + 1 - bits
    return (values << (above - below)) >> above


def _rescaled(values: np.ndarray, data: Any) -> np.ndarray:
    """Through the modality LUT, or the rescale; a slope of 0 is left out."""
    if data.get("ModalityLUTSequence"):
        return through_lut(values, data.ModalityLUTSequence[0], _little(data))
    slope, intercept = (number(str(data.get(name))) for name in ("RescaleSlope", "RescaleIntercept"))
    return values if not slope or intercept is None else values.astype(np.float64) * slope + intercept


def _windowed(values: np.ndarray, data: Any) -> np.ndarray:
    """Through the VOI LUT or the first window; a window that makes no sense is left out."""
    if data.get("VOILUTSequence"):
        return through_lut(values, data.VOILUTSequence[0], _little(data))
    centre, width = (_first(data.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width < 1:
        return values
    function = str(data.get("VOILUTFunction") or "LINEAR").upper()
    if function not in _WINDOWS:
        raise UnreadableFilm(f"its window is of the kind {function}, which is none of {', '.join(_WINDOWS)}")
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-4 * (values - centre) / width))
    low, high = centre - width / 2, centre + width / 2 - (function == "LINEAR")
    return values if values.max() <= low or values.min() >= high else np.clip(values, low, high)


def _first(value: Any) -> float | None:
    """The first of one number or of several."""
    return number(str(value[0] if isinstance(value, Sequence) and not isinstance(value, str) and value else value))


def _little(data: Any) -> bool:
    return bool(data.file_meta.TransferSyntaxUID.is_little_endian)
