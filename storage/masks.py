"""A finding's area as runs in a row of a table, and back."""

from __future__ import annotations

import numpy as np

from storage.records import Mask


def encode_mask(finding: str, area: np.ndarray) -> Mask:
    """The runs of `area` (H, W), whose pixels are inside where they are not 0."""
    height, width = area.shape
    inside = np.concatenate(([False], np.asarray(area, bool).T.ravel(), [False]))
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    lengths = np.diff(np.concatenate(([0], edges)))
    return Mask(finding=finding, height=height, width=width, runs=" ".join(map(str, lengths.tolist())))


def decode_mask(mask: Mask) -> np.ndarray:
    """The area (height, width) bool.

    Raises:
        ValueError: the runs are no numbers, or leave the film.
    """
    lengths = [int(word) for word in mask.runs.split()]
    size = mask.height * mask.width
    if min(lengths, default=0) < 0 or sum(lengths) > size:
        raise ValueError(f"the mask of {mask.finding} has runs of {sum(lengths)} pixels, its film has {size}")
    flat = np.zeros(size, bool)
    at = 0
    for gap, length in zip(lengths[::2], lengths[1::2], strict=False):
        at += gap
        flat[at : at + length] = True
        at += length
    return flat.reshape(mask.width, mask.height).T
