"""Lookup tables of DICOM files: of palettes, plain or in segments, and of greys."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.corpora.archives.errors import UnreadableFilm
from tasks.corpora.archives.image import luminance

_COLOURS = ("Red", "Green", "Blue")
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2
_MOST_SEGMENTS = 1 << 17


def through_palette(values: np.ndarray, data: Any, little: bool) -> tuple[np.ndarray, bool]:
    """Greys (H, W) float32 of palette indices (H, W), and whether the palette's entries have 8 bits.

    Args:
        values: as stored.
        data: the data set.
        little: whether it is little endian.

    Raises:
        UnreadableFilm: it has no palette, or one that is cut off or contradicts itself.
    """
    lacking = [colour for colour in _COLOURS if f"{colour}PaletteColorLookupTableDescriptor" not in data]
    if lacking:
        raise UnreadableFilm(f"its colours are those of a palette, and {lacking[0]}PaletteColorLookupTable is missing")
    described = [_descriptor(data[f"{colour}PaletteColorLookupTableDescriptor"].value) for colour in _COLOURS]
    (count, first, bits), *others = described
    if any(other != described[0] for other in others) or bits not in (8, 16):
        raise UnreadableFilm(f"the descriptors of its palette contradict each other or the standard: {described}")
    table = np.stack([_palette(data, colour, count, bits, little) for colour in _COLOURS], -1)
    return luminance(table)[_places(values, first, count)], bits == 8 and int(table.max()) < 256


def through_lut(values: np.ndarray, item: Any, little: bool) -> np.ndarray:
    """Values (H, W) through the modality or VOI lookup table `item`; those beyond its ends take its ends.

    Raises:
        UnreadableFilm: the table is shorter than its descriptor says.
    """
    count, first, _ = _descriptor(item.LUTDescriptor)
    if first > 0x7FFF and values.min() < 0:  # a negative first value that was written without its sign
        first -= 0x10000
    return _entries(item.LUTData, count, little, "a lookup table")[_places(values, first, count)]


def _descriptor(value: Sequence[int]) -> tuple[int, int, int]:
    """How many entries, the stored value of the first one, and bits of an entry."""
    count, first, bits = (int(number) for number in value)
    return count & 0xFFFF or 0x10000, first, bits


def _places(values: np.ndarray, first: int, count: int) -> np.ndarray:
    return np.clip(np.rint(values).astype(np.int64) - first, 0, count - 1)


def _palette(data: Any, colour: str, count: int, bits: int, little: bool) -> np.ndarray:
    name = f"{colour}PaletteColorLookupTableData"
    if name in data:
        return _entries(data[name].value, count, little, name)
    if f"Segmented{name}" not in data:
        raise UnreadableFilm(f"its colours are those of a palette, and {name} is missing")
    try:
        return np.array(_expanded(data[f"Segmented{name}"].value, bits == 16, little, count))
    except (ValueError, IndexError, struct.error) as error:
        raise UnreadableFilm(f"Segmented{name} cannot be expanded to {count} entries ({error})") from error


def _entries(stored: bytes | Sequence[int] | int, count: int, little: bool, name: str) -> np.ndarray:
    """The `count` entries of a table: numbers, words, or bytes where there are not enough bytes for words."""
    if not isinstance(stored, bytes):
        found = np.atleast_1d(np.asarray(stored, np.int64))
    elif len(stored) >= 2 * count:
        found = np.frombuffer(stored, "<u2" if little else ">u2", count)
    elif little:
        found = np.frombuffer(stored, np.uint8)
    else:
        raise UnreadableFilm(f"{name} is packed by bytes in a big endian file, whose order is not known")
    if len(found) < count:
        raise UnreadableFilm(f"{name} holds {len(found)} of the {count} entries that its descriptor says")
    return found[:count]


def _expanded(stored: bytes, words: bool, little: bool, count: int) -> list[int]:
    """A table in discrete, linear and indirect segments (PS3.3 C.7.9.2), of exactly `count` entries."""
    read = struct.Struct(("<" if little else ">") + ("H" if words else "B"))
    wide = struct.Struct("<HH" if little else ">HH")
    table: list[int] = []
    segments = 0

    def run(at: int, most: int, nested: bool) -> None:
        nonlocal segments
        while at + 2 * read.size <= len(stored) and len(table) < count and most > 0:
            most, segments = most - 1, segments + 1
            if segments > _MOST_SEGMENTS:
                raise ValueError("too many segments")
            (code,), (length,) = (read.unpack_from(stored, at + n * read.size) for n in (0, 1))
            at += 2 * read.size
            if code == _DISCRETE:
                table.extend(read.unpack_from(stored, at + n * read.size)[0] for n in range(length))
                at += length * read.size
            elif code == _LINEAR and table:
                end = read.unpack_from(stored, at)[0]
                step = (end - table[-1]) / max(length, 1)
                table.extend(np.rint(np.linspace(table[-1] + step, end, length)).astype(int).tolist())
                at += read.size
            elif code == _INDIRECT and not nested:
                low, high = wide.unpack_from(stored, at)
                run(high << 16 | low, length, nested=True)
                at += wide.size
            else:
                raise ValueError(f"segment of type {code} at byte {at - 2 * read.size}")

    run(0, _MOST_SEGMENTS, nested=False)
    if len(table) != count:
        raise ValueError(f"its segments make {len(table)}")
    return table
