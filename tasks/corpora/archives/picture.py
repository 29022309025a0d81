"""A PNG, JPEG, JPEG 2000, TIFF or BMP file as a grey film of 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin

from storage.png import MOST_PIXELS
from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.image import Film, luminance, refuse_bomb, to_8_bits

_FORMATS = ("PNG", "JPEG", "JPEG2000", "TIFF", "BMP")
_SHALLOW = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "YCbCr")
_SAMPLES, _PHOTOMETRIC, _BITS, _SUBFILE, _ORIENTATION = 339, 262, 258, 254, 274  # TIFF tags
_UNSIGNED, _SIGNED = 1, 2
_TURNED = {  # by EXIF's orientation
    2: np.fliplr, 3: lambda film: np.rot90(film, 2), 4: np.flipud, 5: np.transpose, 6: lambda film: np.rot90(film, 3),
    7: lambda film: np.rot90(film, 2).T, 8: np.rot90,
}  # fmt: skip


def read_picture(path: Path) -> Film:
    """Read the one page of a picture file, turned by its EXIF orientation.

    Pixels of 8 bits are taken as they are, colours by their luminance, alpha is left out; deeper ones and floats take
    their span. A TIFF whose 0 is white is turned over.

    Raises:
        UnreadableFilm: damaged, of several pages, larger than a film, or of a kind that is not known; the message has
            no path.
    """
    try:
        # Given a path, Pillow maps strips of a turned TIFF at the turned size, which scrambles them.
        with path.open("rb") as file, Image.open(file, formats=_FORMATS) as image:
            _to_the_film(image)
            refuse_bomb(*image.size)
            kind = f"{'JPEG' if image.format == 'MPO' else image.format} {image.mode}"
            grey = _greys(path, image)
            return Film(np.ascontiguousarray(_TURNED.get(_orientation(image), np.asarray)(grey)), kind)
    except UnreadableFilm:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableFilm(f"refused, a film has at most {MOST_PIXELS} pixels ({error})") from error
    except Image.UnidentifiedImageError as error:
        raise UnreadableFilm(_unidentified(path)) from error
    except Exception as error:  # Pillow raises whatever a damaged file makes it stumble over
        raise UnreadableFilm(f"damaged ({' '.join(str(error).split())[:200] or type(error).__name__})") from error


def _greys(path: Path, image: Image.Image) -> np.ndarray:
    tags = _tags(image)
    light, samples = tags.get(_PHOTOMETRIC, 1), set(tags.get(_SAMPLES, (_UNSIGNED,)))
    if image.mode[0] in "IF":
        values = np.asarray(image)
        if image.mode == "I" and samples == {_UNSIGNED} and tags.get(_BITS) == (32,):
            values = values.view(np.uint32)
        if not np.isfinite(values).all():
            raise UnreadableFilm("some of its values are no numbers; store it with 8 or 16 bits")
        return 255 - to_8_bits(values) if light == 0 else to_8_bits(values)
    if image.mode not in _SHALLOW or samples != {_UNSIGNED}:
        sign = " signed" if samples == {_SIGNED} else ""
        raise UnreadableFilm(f"its pixels are{sign} {image.mode}, which is not read; store them as grey or RGB")
    if len(image.mode) > 1 and _depth(path, image) > 8:
        return _deep_colours(path, image)
    return np.asarray(image if image.mode == "L" else image.convert("RGB").convert("L"), np.uint8)


def _deep_colours(path: Path, image: Image.Image) -> np.ndarray:
    """Colours or greys with alpha of 16 bits, of which Pillow would give the upper 8 alone."""
    with Image.open(path, formats=_FORMATS) as whole:
        whole.load()  # raises for a damaged file; OpenCV would decode what there is, and write to the terminal
    values = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3 or values.shape[1::-1] != image.size:
        raise UnreadableFilm(f"its pixels are {image.mode} of 16 bits, stored in a way that is not read")
    return to_8_bits(luminance(values[..., 2::-1]))


def _depth(path: Path, image: Image.Image) -> int:
    """Bits of a sample of a colour picture."""
    if image.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]
    return max(_tags(image).get(_BITS, (8,)))


def _to_the_film(image: Image.Image) -> None:
    """Go to the one page that is no smaller copy of another; a phone's JPEG with a second picture has it first."""
    pages = getattr(image, "n_frames", 1)
    if image.format != "TIFF" or pages == 1:
        return
    whole = []
    for page in range(pages):
        image.seek(page)
        if not _tags(image).get(_SUBFILE, 0) & 1:
            whole.append(page)
    if len(whole) != 1:
        raise UnreadableFilm(f"it holds {pages} pages, a film has one; split it first")
    image.seek(whole[0])


def _tags(image: Image.Image) -> Any:
    return getattr(image, "tag_v2", {})


def _orientation(image: Image.Image) -> int:
    """EXIF's, of a picture that is decoded; 1 where there is none that can be read."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # what a camera left there may be anything, and the picture is whole
        return 1


def _unidentified(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(8)
        if start[:4] not in (b"II*\0", b"MM\0*"):
            return "damaged (its first bytes are those of a picture, and no more of it); get it anew"
        try:
            tags = TiffImagePlugin.ImageFileDirectory_v2(start)
            file.seek(tags.next)
            tags.load(file)
        except Exception as error:
            return f"damaged ({error}); get it anew"
    tags_read = (
        f"photometric {tags.get(_PHOTOMETRIC)}, bits {tags.get(_BITS)}, sample format {tags.get(_SAMPLES, (1,))}"
    )
    return f"a TIFF of a kind that is not read ({tags_read}); store it as grey of 8 or 16 bits"
