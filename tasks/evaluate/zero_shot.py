"""Ask a vision-language model for every finding in every film, without training on any label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.evaluate.prompts import FindingPrompts

if TYPE_CHECKING:
    from models.vlp.model import VisionLanguageModel


def zero_shot(model: VisionLanguageModel, films: np.ndarray, prompts: Sequence[FindingPrompts]) -> np.ndarray:
    """Scores (films, findings) float32: cosine with the positive prompts less cosine with the negative ones.

    CheXzero's softmax over the pair is a monotone function of this difference, so AUROC is the same. Each
    side is the mean of its prompts' embeddings, scaled to unit length.

    Args:
        model: trained or not.
        films: (n, size, size) uint8, `size` being the model's.
        prompts: one set per finding.
    """
    images = model.embed_images(films)
    positive = np.stack([_direction(model, item.positive) for item in prompts])
    negative = np.stack([_direction(model, item.negative) for item in prompts])
    return (images @ (positive - negative).T).astype(np.float32)


def _direction(model: VisionLanguageModel, texts: Sequence[str]) -> np.ndarray:
    mean = model.embed_texts(texts).mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-8)
