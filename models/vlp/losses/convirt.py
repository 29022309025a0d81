"""ConVIRT: contrast both directions at a fixed temperature, each with a weight of its own (Zhang et al., 2020)."""

from __future__ import annotations

from torch import Tensor

from models.training.distributed import gather_rows
from models.vlp.losses.contrast import Directions, at_least_float32, contrast, cosines, without_autocast


def convirt_loss(
    images: Tensor, texts: Tensor, temperature: float, directions: Directions, positives: Tensor | None = None
) -> Tensor:
    """The weighted sum of both cross-entropies over cosines divided by the temperature.

    The paper's loss has ``Directions(0.75, 0.25)`` at temperature 0.1; with ``Directions(0.5, 0.5)`` it is the loss of
    CLIP at the scale 1 / temperature. MGCA's version sums both: ``Directions(1, 1)`` at temperature 0.07.

    Args:
        images, texts: embeddings (b, d) of this process's pairs, of any length.
        temperature: fixed.
        directions: factors of image-to-text and text-to-image.
        positives: see `models.vlp.losses.contrast`.

    Returns:
        A scalar.
    """
    with without_autocast(images):
        rows, columns = (gather_rows(at_least_float32(part)) for part in (images, texts))
        return contrast(cosines(rows, columns) / temperature, directions, positives)
