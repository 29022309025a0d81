"""Films as PNG bytes and back."""

from __future__ import annotations

import numpy as np

from storage.errors import CorruptShard


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
        CorruptShard: not an image.
    """
    import cv2

    film = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE) if data else None
    if film is None:
        raise CorruptShard(f"{len(data)} bytes are not a PNG image")
    return np.asarray(film, np.uint8)
