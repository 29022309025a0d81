"""Masks of findings as archives write them: runs down the columns of a film."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIDE = 1024
"""Of a film of SIIM-ACR, in pixels."""


def decode_masks(runs: Sequence[str], width: int = SIDE, height: int = SIDE) -> np.ndarray:
    """Masks (height, width) of 0 and 1, put together, from pairs of gap and length that run down the columns.

    A gap counts from the end of the run before it, unlike the absolute starts of other challenges.

    Raises:
        ValueError: an odd count of numbers, a word among them, or a run that leaves the film.
    """
    mask = np.zeros(width * height, np.uint8)
    for text in runs:
        numbers = [int(word) for word in text.split()]
        if len(numbers) % 2 or min(numbers, default=0) < 0:
            raise ValueError("a mask is pairs of gap and length")
        at = 0
        for gap, length in zip(numbers[::2], numbers[1::2], strict=True):
            at += gap + length
            if at > mask.size:
                raise ValueError(f"a run ends at {at}, the film has {mask.size} pixels")
            mask[at - length : at] = 1
    return mask.reshape(width, height).T
