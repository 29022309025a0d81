"""Films as PNG bytes and back."""

from __future__ import annotations

import struct

import numpy as np

from storage.errors import CorruptShard

MOST_PIXELS = 64_000_000
"""Three times the largest chest film (43 cm at 0.1 mm: 18 million), and 64 MB when decoded."""
_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"


def encode_png(film: np.ndarray) -> bytes:
    """(H, W) uint8 as a grey PNG; equal films give equal bytes.

    Raises:
        ValueError: another shape or type.
    """
    import cv2

    if film.ndim != 2 or film.dtype != np.uint8 or film.size == 0:
        raise ValueError(f"a film is (H, W) uint8, not {film.shape} {film.dtype}")
    done, data = cv2.imencode(".png", np.ascontiguousarray(film), [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not done:
        raise ValueError(f"cannot encode a film of shape {film.shape}")
    return data.tobytes()


def decode_png(data: bytes) -> np.ndarray:
    """PNG bytes as (H, W) uint8.

    Raises:
        CorruptShard: not a PNG, damaged, or its header claims more pixels than a film has (nothing is decoded then).
    """
    import cv2

    if not data.startswith(_START) or len(data) < len(_START) + 8:
        raise CorruptShard(f"{len(data)} bytes are not a PNG image")
    width, height = struct.unpack_from(">II", data, len(_START))
    if width * height > MOST_PIXELS:
        raise CorruptShard(f"a PNG of {width} x {height} pixels is refused: a film has at most {MOST_PIXELS}")
    film = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if film is None:
        raise CorruptShard(f"{len(data)} bytes are not a whole PNG image")
    return np.asarray(film, np.uint8)
