"""An image file of any of the kinds that archives hold, as a grey film of 8 bits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from storage.png import MOST_PIXELS
from tasks.archives.errors import UnreadableFilm

REST = 0.001
"""Share of the pixels at either end of a film's greys that does not count for their span: markers and dead pixels."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a DICOM file says of its film; empty for other files. `age` as it stands there, such as ``062Y``."""

    patient: str | None = None
    study: str | None = None
    view: str | None = None
    sex: str | None = None
    age: str | None = None


@dataclass(frozen=True, slots=True)
class Film:
    """Pixels (H, W) uint8, bright where the body is dense; what kind of file they come from; its header."""

    pixels: np.ndarray
    kind: str
    header: Header = field(default_factory=Header)


def read_film(path: Path) -> Film:
    """Read a PNG (1 to 16 bits, grey, palette, RGB, with alpha or without), a JPEG, or a DICOM file.

    Pixels of 8 bits are taken as they are, colours by their luminance, alpha is left out. Deeper ones have no fixed
    scale: their span, but for a thousandth of the pixels at either end, becomes 0..255. See `tasks.archives.dicom`.

    Raises:
        UnreadableFilm: missing, damaged, of another kind, or larger than a film; nothing is decoded then.
    """
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except FileNotFoundError:
        raise UnreadableFilm(f"{path}: the file is missing") from None
    except OSError as error:
        raise UnreadableFilm(f"{path}: {error.strerror or error}") from error
    if start[128:] == b"DICM":
        from tasks.archives.dicom import read_dicom

        return read_dicom(path)
    return _picture(path)


def refuse_bomb(path: Path, width: int, height: int) -> None:
    """Raises:
    UnreadableFilm: a header claims more pixels than a film has.
    """
    if width * height > MOST_PIXELS:
        raise UnreadableFilm(f"{path}: {width} x {height} pixels are refused, a film has at most {MOST_PIXELS}")
    if width * height == 0:
        raise UnreadableFilm(f"{path}: it has no pixels")


def to_8_bits(values: np.ndarray) -> np.ndarray:
    """Values (H, W) of any scale as uint8, by the rule of `read_film`; a film of one value is black."""
    low, high = np.quantile(values, (REST, 1 - REST))
    if high <= low:
        low, high = values.min(), values.max()
    scaled = (values.astype(np.float32) - low) * (255 / max(float(high - low), 1e-9))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _picture(path: Path) -> Film:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            refuse_bomb(path, *image.size)
            kind = f"{image.format} {image.mode}"
            if image.mode.startswith("I"):  # I;16, and I where an older library widened it
                return Film(to_8_bits(np.asarray(image)), kind)
            grey = image if image.mode == "L" else image.convert("RGB").convert("L")
            return Film(np.asarray(grey, np.uint8), kind)
    except Image.DecompressionBombError as error:
        raise UnreadableFilm(f"{path}: refused, a film has at most {MOST_PIXELS} pixels ({error})") from error
    except Image.UnidentifiedImageError:
        empty = path.stat().st_size == 0
        raise UnreadableFilm(f"{path}: {'the file is empty' if empty else 'no PNG, JPEG or DICOM file'}") from None
    except UnreadableFilm:
        raise
    except (OSError, SyntaxError, ValueError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise UnreadableFilm(f"{path}: damaged ({error}); get it anew") from error
