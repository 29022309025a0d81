"""Cross-entropy over a square of similarities, in both directions."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

TINY = 1e-8
"""Smallest divisor of a cosine."""


class Directions(NamedTuple):
    """Factors of the two cross-entropies: that of images over texts, and that of texts over images."""

    image_to_text: float
    text_to_image: float


MEAN = Directions(0.5, 0.5)
SUM = Directions(1.0, 1.0)


def contrast(logits: Tensor, directions: Directions = MEAN, positives: Tensor | None = None) -> Tensor:
    """How badly images and texts find each other: the weighted sum of the cross-entropies over rows and columns.

    Args:
        logits: (n, n), similarity of image `i` (row) with text `j` (column) divided by the temperature.
        directions: factors of the two directions.
        positives: (n, n) bool, symmetric with a full diagonal, which texts belong to which images; None is the
            diagonal. The probability of a row or a column is then that of all its positives together (MIL-NCE, Miech
            et al., 2020). The mean of the positives' cross-entropies would change nothing: equal texts have equal
            embeddings in a tower without dropout, and the sum over their rows and columns stays the same.

    Returns:
        A scalar.
    """
    rows, columns = (_cross_entropy(part, positives) for part in (logits, logits.T))
    return directions.image_to_text * rows + directions.text_to_image * columns


def _cross_entropy(logits: Tensor, positives: Tensor | None) -> Tensor:
    if positives is None:
        return F.cross_entropy(logits, torch.arange(len(logits), device=logits.device))
    found = logits.masked_fill(~positives, -torch.inf).logsumexp(dim=1)
    return (logits.logsumexp(dim=1) - found).mean()


def cosines(images: Tensor, texts: Tensor) -> Tensor:
    """Cosines (n, m) of embeddings (n, d) and (m, d), which may have any length."""
    return F.normalize(images, dim=1, eps=TINY) @ F.normalize(texts, dim=1, eps=TINY).T


def at_least_float32(tensor: Tensor) -> Tensor:
    """The same numbers in float32; float64 stays what it is."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def without_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """Within it, what is computed on the tensor's device keeps its precision."""
    return torch.autocast(tensor.device.type, enabled=False)
