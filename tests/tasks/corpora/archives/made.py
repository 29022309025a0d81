"""DICOM files that tests make: a film of given values, encoded as asked."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

CHEST = "1.2.840.10008.5.1.4.1.1.1"
RAMP = np.arange(0, 240, dtype=np.uint8).reshape(15, 16)
DEEP = np.linspace(100, 4000, 10_000).astype(np.uint16).reshape(100, 100)
JPEG, EXTENDED, J2K, J2K_LOSSY = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 90, 91))


def dicom(path: Path, values: np.ndarray, stored: Any = 0, **tags: Any) -> Path:
    """A DICOM chest film of `values` (H, W) or (H, W, 3) with `stored` bits, uncompressed, and any other `tags`.

    A tag whose value is None is left out.
    """
    data = data_set(values, stored, **tags)
    data.save_as(path, enforce_file_format=True)
    return path


def data_set(values: np.ndarray, stored: Any = 0, **tags: Any) -> Dataset:
    """The data set of `dicom`."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = UID(CHEST), generate_uid()
    data.SOPClassUID, data.SOPInstanceUID = CHEST, data.file_meta.MediaStorageSOPInstanceUID
    data.Rows, data.Columns = values.shape[:2]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    if values.ndim == 3:
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated = 8 * values.itemsize
    data.BitsStored = stored or data.BitsAllocated
    data.HighBit = data.BitsStored - 1
    if values.dtype.kind == "i":
        data.PixelRepresentation = 1
    data.PixelData = values.tobytes()
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data["PixelData"].VR = "OW"
    return data


def packed(path: Path, values: np.ndarray, syntax: str, stored: Any = 0, **tags: Any) -> Path:
    """As `dicom`, with JPEG or lossless JPEG 2000."""
    stream = io.BytesIO()
    jpeg = syntax in (JPEG, EXTENDED)
    options = {"quality": 100} if jpeg else {"irreversible": False, "no_jp2": True}
    Image.fromarray(values).save(stream, "JPEG" if jpeg else "JPEG2000", **options)
    return capsules(dicom(path, values, stored, **tags), stream.getvalue(), syntax)


def capsules(path: Path, stream: bytes, syntax: str) -> Path:
    """The file with `stream` as its pixels and `syntax` as its transfer syntax."""
    data = pydicom.dcmread(path)
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.PixelData = encapsulate([stream])
    data["PixelData"].VR = "OB"
    data.save_as(path, enforce_file_format=True)
    return path


def palette(values: list[np.ndarray], first: int = 0, bits: int = 8, *, segmented: bool = False) -> dict[str, object]:
    """Tags of a palette of red, green and blue entries, or of their segments with 256 entries."""
    tags: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, entries in zip(("Red", "Green", "Blue"), values, strict=True):
        count = 256 if segmented else len(entries)
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [count % 65536, first, bits]
        name = f"{colour}PaletteColorLookupTableData"
        tags[f"Segmented{name}" if segmented else name] = entries.astype(f"<u{bits // 8}").tobytes()
    return tags
