"""Checks of a DICOM data set before its pixels are decoded; what is not supported is refused by its name."""

from __future__ import annotations

import io
from typing import Any

from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.image import refuse_bomb

SAMPLES = {  # of each photometric interpretation that is read
    "MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1,
    "RGB": 3, "YBR_FULL": 3, "YBR_FULL_422": 3, "YBR_ICT": 3, "YBR_RCT": 3,
}  # fmt: skip
_NEEDED = (
    "Rows", "Columns", "PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated", "BitsStored",
    "PixelRepresentation",
)  # fmt: skip
_NATIVE = {
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2.1.99": "Deflated Explicit VR Little Endian",
    "1.2.840.10008.1.2.2": "Explicit VR Big Endian",
}
_JPEG, _JPEG_EXTENDED, _RLE = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.5"
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_HTJ2K = ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203")
LOSSY = (_JPEG, _JPEG_EXTENDED, "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.203")
"""Transfer syntaxes after which a value may lie beside what was stored."""
_STREAMS = ("JPEG", "JPEG2000")
_ANEW = "set it from the device's documents, or export the file anew"


def check(data: Any) -> None:
    """Refuse what has no film's pixels, or attributes that are unknown, not decodable here, or contradictory.

    Args:
        data: a whole data set, its transfer syntax in `file_meta`.

    Raises:
        UnreadableFilm: see above; the message has no path.
    """
    _holds_an_image(data)
    lacking = [name for name in _NEEDED if _missing(data, name)]
    if lacking:
        named = f"{lacking[0]}{f' and {len(lacking) - 1} more such attributes' if len(lacking) > 1 else ''}"
        raise UnreadableFilm(f"it has no {named}, without which its pixels are a guess; {_ANEW}")
    frames = int(data.get("NumberOfFrames") or 1)
    if frames > 1:
        raise UnreadableFilm(f"it holds {frames} frames, a film has one; split it first")
    refuse_bomb(int(data.Columns), int(data.Rows))
    _check_photometric(data)
    _check_bits(data)
    _check_syntax(data)
    _check_length(data)


def high_bit(data: Any) -> int:
    """The place of the highest stored bit; by the standard where a file does not give it."""
    return int(data.BitsStored) - 1 if _missing(data, "HighBit") else int(data.HighBit)


def _missing(data: Any, name: str) -> bool:
    return data.get(name) in (None, "")


def _holds_an_image(data: Any) -> None:
    if "PixelData" in data:
        return
    for name in ("FloatPixelData", "DoubleFloatPixelData"):
        if name in data:
            raise UnreadableFilm(f"its pixels are {name}, which is no film's; store them as integers")
    stored = data.get("SOPClassUID") or data.file_meta.get("MediaStorageSOPClassUID")
    made = str(getattr(stored, "name", "")).removesuffix(" Storage")
    if "Rows" in data or "Image" in made:
        raise UnreadableFilm("a DICOM file without PixelData holds no image: its pixels were cut off; get it anew")
    raise UnreadableFilm(f"a DICOM file without PixelData holds no image{f': it is a {made}' if made else ''}")


def _check_photometric(data: Any) -> None:
    photometric, samples = str(data.PhotometricInterpretation), int(data.SamplesPerPixel)
    if photometric not in SAMPLES:
        raise UnreadableFilm(
            f"its PhotometricInterpretation is {photometric}, which is not read; store it as MONOCHROME2 or RGB"
        )
    if samples != SAMPLES[photometric]:
        raise UnreadableFilm(f"{photometric} and SamplesPerPixel {samples} contradict each other; {_ANEW}")
    if samples == 3 and (_missing(data, "PlanarConfiguration") or int(data.PlanarConfiguration) not in (0, 1)):
        raise UnreadableFilm(f"its PlanarConfiguration is {data.get('PlanarConfiguration')}, not 0 or 1; {_ANEW}")
    mapped = str(data.get("PixelPresentation") or "")
    if samples == 1 and photometric != "PALETTE COLOR" and mapped in ("COLOR", "MIXED"):
        raise UnreadableFilm(
            f"its PixelPresentation is {mapped}: some of its values are colours of a supplemental palette, which is "
            "not read; export its greys"
        )


def _check_bits(data: Any) -> None:
    allocated, stored, high = int(data.BitsAllocated), int(data.BitsStored), high_bit(data)
    if allocated not in (1, 8, 16, 32, 64):
        raise UnreadableFilm(f"its BitsAllocated is {allocated}, which is not read; store it with 8 or 16")
    if not 1 <= stored <= high + 1 <= allocated:
        raise UnreadableFilm(
            f"BitsAllocated {allocated}, BitsStored {stored} and HighBit {high} contradict each other; {_ANEW}"
        )
    if int(data.PixelRepresentation) not in (0, 1):
        raise UnreadableFilm(f"its PixelRepresentation is {data.PixelRepresentation}, not 0 or 1; {_ANEW}")


def _check_syntax(data: Any) -> None:
    """The transfer syntax is known, the pixels are stored accordingly, and something here decodes them."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax, name = str(data.file_meta.TransferSyntaxUID), name_of(data.file_meta.TransferSyntaxUID)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        called = "" if name == syntax else f" ({name})"
        raise UnreadableFilm(
            f"its transfer syntax {syntax}{called} is none that is read; store the file uncompressed with the "
            "software that wrote it"
        ) from None
    capsules = bytes(data.PixelData[:4]) == b"\xfe\xff\x00\xe0" and data["PixelData"].is_undefined_length
    if (syntax in _NATIVE) == capsules:
        how = "compressed" if capsules else "uncompressed"
        raise UnreadableFilm(f"its transfer syntax is {name}, and its pixels are {how}; {_ANEW}")
    if syntax not in (*_NATIVE, _RLE):
        _check_codec(data, syntax, decoder)


def _check_codec(data: Any, syntax: str, decoder: Any) -> None:
    name, stored, high = name_of(data.file_meta.TransferSyntaxUID), int(data.BitsStored), high_bit(data)
    shallow = stored > 8 and (syntax == _JPEG_EXTENDED or (syntax in _JPEG_2000 and int(data.SamplesPerPixel) > 1))
    if not decoder.is_available or (shallow and decoder.available_plugins == ("pillow",)):
        packages = "pylibjpeg pylibjpeg-openjpeg" if syntax in (*_HTJ2K, *_JPEG_2000) else "python-gdcm"
        depth = f" with {stored} bits" if shallow else ""
        raise UnreadableFilm(
            f"its pixels are {name}{depth}: install a decoder for it (pip install {packages}), or store the file "
            "uncompressed"
        )
    if high + 1 != stored:
        raise UnreadableFilm(f"HighBit {high} and BitsStored {stored} contradict each other in {name}; {_ANEW}")
    if int(data.BitsAllocated) != 8 and (syntax == _JPEG or (syntax == _JPEG_EXTENDED and stored == 8)):
        raise UnreadableFilm(f"BitsAllocated {data.BitsAllocated} and {name} contradict each other; {_ANEW}")
    if syntax in (_JPEG, _JPEG_EXTENDED, *_JPEG_2000, *_HTJ2K):
        _check_stream(data, name)


def _check_stream(data: Any, name: str) -> None:
    """A stream with a size and samples of its own has those of the header; a damaged one fails in the decoder."""
    from PIL import Image
    from pydicom.encaps import get_frame

    header = (int(data.Columns), int(data.Rows), int(data.SamplesPerPixel))
    frame = get_frame(data.PixelData, 0, number_of_frames=1)
    _refuse_endless(frame)
    try:
        with Image.open(io.BytesIO(frame), formats=_STREAMS) as image:
            stream = (*image.size, len(image.getbands()))
    except (OSError, SyntaxError, ValueError):
        return
    if stream != header:
        declared, found = ("{} x {} pixels with {} samples".format(*each) for each in (header, stream))
        raise UnreadableFilm(f"its header says {declared}, its {name} stream {found}; {_ANEW}")


def _refuse_endless(frame: bytes) -> None:
    """pydicom searches the boxes of a JP2 file for the codestream, without end where a box has no length."""
    at = 12 if frame.startswith(b"\0\0\0\x0cjP  ") else len(frame)
    while at < len(frame) and frame[at + 4 : at + 8] != b"jp2c":
        length = int.from_bytes(frame[at : at + 4], "big")
        if length == 0:
            raise UnreadableFilm("damaged (a box of its JPEG 2000 stream has no length); get it anew")
        at += length


def name_of(syntax: Any) -> str:
    """A transfer syntax as people call it: ``uncompressed``, or a codec without its processes."""
    return _NATIVE.get(str(syntax)) or str(syntax.name).partition(" (")[0].partition(", Non-")[0]


def _check_length(data: Any) -> None:
    """Uncompressed pixels fill the film; more than a row beyond it are other pixels than those of the header."""
    if str(data.file_meta.TransferSyntaxUID) not in _NATIVE:
        return
    samples, bits = int(data.SamplesPerPixel), int(data.BitsAllocated)
    if data.PhotometricInterpretation == "YBR_FULL_422":
        samples = 2
    row = -(-int(data.Columns) * samples * bits // 8)
    whole, found = -(-int(data.Columns) * int(data.Rows) * samples * bits // 8), len(data.PixelData)
    if found > whole + row:
        raise UnreadableFilm(
            f"Rows {data.Rows}, Columns {data.Columns} and the bits of its pixels make {whole} bytes, and it holds "
            f"{found}; {_ANEW}"
        )
    if found < whole:
        raise UnreadableFilm(f"damaged (it holds {found} of {whole} bytes of pixels); get it anew")
