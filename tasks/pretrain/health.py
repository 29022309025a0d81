"""What goes wrong in a training without an error: embeddings that all point one way, a scale at its bound."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.vlp.model import VisionLanguageModel

COLLAPSED = 0.99
"""Mean cosine between embeddings of different pairs above which they are called collapsed."""
LARGEST_SCALE = 100.0
"""Bound of the learnt scale where an objective names none."""
_NEAR = 1e-4


@dataclass(frozen=True, slots=True)
class TrainingHealth:
    """A trained model on some of its training pairs.

    Args:
        image_cosine: mean cosine between the embeddings of two images.
        text_cosine: mean cosine between the embeddings of two different texts; NaN where all are equal.
        scale: the learnt factor of the cosines, 1 / temperature.
        largest_scale: its bound in this training.
    """

    image_cosine: float
    text_cosine: float
    scale: float
    largest_scale: float = LARGEST_SCALE

    @property
    def figures(self) -> dict[str, float]:
        """What was measured, by name, without what is NaN."""
        measured = {"image_cosine": self.image_cosine, "text_cosine": self.text_cosine, "scale": self.scale}
        return {name: value for name, value in measured.items() if math.isfinite(value)}

    def warnings(self) -> tuple[str, ...]:
        """What a person should look into, a line each."""
        found = [
            f"the embeddings of {name} have collapsed: their mean cosine is {cosine:.3f}; try a lower "
            "pretrain.learning_rate, a larger batch, or texts that differ more"
            for name, cosine in (("images", self.image_cosine), ("texts", self.text_cosine))
            if cosine > COLLAPSED
        ]
        if self.scale >= self.largest_scale * (1 - _NEAR):
            found.append(
                f"the scale of the cosines is at its bound of {self.largest_scale:g}: the training pairs are learnt "
                "by heart; take fewer samples_seen or more pairs"
            )
        return tuple(found)


def examine(
    model: VisionLanguageModel, images: np.ndarray, texts: Sequence[str], largest_scale: float = LARGEST_SCALE
) -> TrainingHealth:
    """How a model embeds pairs it has learnt from.

    Args:
        model: trained.
        images: (n, size, size) uint8, at least 2.
        texts: of the images.
        largest_scale: what its objective bounds the scale of the cosines by.
    """
    different = list(dict.fromkeys(texts))
    scale = float(model.module.logit_scale.detach().exp())
    return TrainingHealth(
        image_cosine=_mean_cosine(model.embed_images(images)),
        text_cosine=_mean_cosine(model.embed_texts(different)),
        scale=scale,
        largest_scale=largest_scale,
    )


def _mean_cosine(rows: np.ndarray) -> float:
    """Mean cosine between different rows (n, d) of unit length; NaN with fewer than two."""
    n = len(rows)
    if n < 2:
        return math.nan
    total = float(np.square(rows.astype(np.float64).sum(axis=0)).sum())
    return (total - n) / (n * (n - 1))
