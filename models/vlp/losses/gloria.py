"""GLoRIA: contrast images with texts by their regions and words, and by their global embeddings (Huang et al., 2021).

The definitions are those of the released code, which the numbers in papers come from: the attention over regions is a
softmax of a softmax over words, and the similarity lacks the exponent 1 / `word_scale` of the paper's formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from models.training.distributed import gather_rows
from models.vlp.losses.contrast import SUM, TINY, at_least_float32, contrast, cosines, without_autocast

Aggregate = Literal["sum", "mean"]


@dataclass(frozen=True, slots=True)
class LocalSimilarity:
    """How the regions of an image are compared with the words of a text.

    Args:
        attention_scale: factor of the attention over words before the softmax over regions.
        word_scale: factor of the cosine of a word with its context before the exponential.
        aggregate: ``sum`` over words of the exponentials, as released: a text of n equal words gains ln n. ``mean``
            gains nothing by length.
        chunk: texts that are compared at once. Only one chunk's attention is in memory at any time; more than one
            chunk is computed anew for the gradient.
    """

    attention_scale: float = 4.0
    word_scale: float = 5.0
    aggregate: Aggregate = "sum"
    chunk: int = 16


@dataclass(frozen=True, slots=True)
class Words:
    """The words of texts.

    Args:
        embeddings: (b, w, d), one slot per word, padded to w slots.
        mask: (b, w) bool, which slots hold a word; every text has at least one.
    """

    embeddings: Tensor
    mask: Tensor


def global_loss(images: Tensor, texts: Tensor, scale: float, positives: Tensor | None = None) -> Tensor:
    """The sum of both cross-entropies over `scale` times the cosines of embeddings (b, d)."""
    with without_autocast(images):
        rows, columns = (gather_rows(at_least_float32(part)) for part in (images, texts))
        return contrast(scale * cosines(rows, columns), SUM, positives)


def local_loss(
    regions: Tensor, words: Words, scale: float, how: LocalSimilarity, positives: Tensor | None = None
) -> Tensor:
    """The sum of both cross-entropies over `scale` times the local similarities.

    Each process compares the regions of its own images with the words of all texts. Words and similarities travel
    between processes, regions do not.

    Args:
        regions: (b, r, d), this process's.
        words: this process's; all processes pad to as many slots.
        scale: factor of the similarities.
        how: see there.
        positives: see `models.vlp.losses.contrast`.

    Returns:
        A scalar.
    """
    embeddings, mask = gather_rows(at_least_float32(words.embeddings)), gather_rows(words.mask.byte()).bool()
    similarities = gather_rows(local_similarities(regions, Words(embeddings, mask), how))
    return contrast(scale * similarities, SUM, positives)


def local_similarities(regions: Tensor, words: Words, how: LocalSimilarity) -> Tensor:
    """How well images and texts agree, region by word: the logarithm of the sum of exp(scale * cosine) over words.

    The cosine is that of a word with its context, the mean of the image's regions weighted by the word's attention.
    Texts are taken in chunks of like length, so that little is spent on padding.

    Args:
        regions: (b, r, d).
        words: of n texts.
        how: see there.

    Returns:
        (b, n), in float32 at least.

    Raises:
        ValueError: a text has no word.
    """
    with without_autocast(regions):
        regions, embeddings = at_least_float32(regions), at_least_float32(words.embeddings)
        slots = torch.arange(1, words.mask.shape[1] + 1, device=words.mask.device)
        used = (words.mask * slots).amax(dim=1).tolist()
        if 0 in used:
            raise ValueError(f"text {used.index(0)} has no word: a text needs one at least")
        order = sorted(range(len(used)), key=lambda at: used[at])
        products = regions @ regions.transpose(1, 2)
        parts = []
        for first in range(0, len(order), how.chunk):
            rows = order[first : first + how.chunk]
            width = used[rows[-1]]
            inputs = (regions, products, embeddings[rows, :width], words.mask[rows, :width], how)
            if len(order) <= how.chunk:
                parts.append(_similarities(*inputs))
            else:
                parts.append(checkpoint(_similarities, *inputs, use_reentrant=False, preserve_rng_state=False))
        places = torch.tensor(order, device=regions.device).argsort()
        return torch.cat(parts, dim=1)[:, places]


def attention(regions: Tensor, words: Tensor, mask: Tensor, scale: float) -> Tensor:
    """What each word looks at: a softmax over words for each region, times `scale`, then a softmax over regions.

    Args:
        regions: (b, r, d) of b images.
        words: (n, w, d) of n texts.
        mask: (n, w) bool, which slots hold a word; the others take no part in the softmax over words.
        scale: factor between both.

    Returns:
        (b, n, w, r); each word's weights sum to 1 over the regions of an image.
    """
    return _attention(_dot_products(regions, words), mask, scale)


def _similarities(regions: Tensor, products: Tensor, words: Tensor, mask: Tensor, how: LocalSimilarity) -> Tensor:
    """`local_similarities` for one chunk of texts; `products` (b, r, r) are those of each image's regions.

    The context c = sum_r a_r v_r itself is not needed: its product with the word is sum_r a_r (v_r . word), and its
    squared length is a' P a with the products P of the regions.
    """
    dots = _dot_products(regions, words)
    weights = _attention(dots, mask, how.attention_scale)
    with_word = (weights * dots).sum(dim=3)
    b, n, w, r = weights.shape
    mixed = (weights.reshape(b, n * w, r) @ products).reshape(b, n, w, r)
    lengths = (weights * mixed).sum(dim=3).clamp_min(TINY**2).sqrt() * words.norm(dim=2).clamp_min(TINY)
    logits = how.word_scale * with_word / lengths.clamp_min(TINY)
    found = logits.masked_fill(~mask, -torch.inf).logsumexp(dim=2)
    return found if how.aggregate == "sum" else found - mask.sum(dim=1).to(found.dtype).log()


def _dot_products(regions: Tensor, words: Tensor) -> Tensor:
    (b, r, d), (n, w, _) = regions.shape, words.shape
    return (words.reshape(1, n * w, d) @ regions.transpose(1, 2)).reshape(b, n, w, r)


def _attention(dots: Tensor, mask: Tensor, scale: float) -> Tensor:
    over_words = dots.masked_fill(~mask[None, :, :, None], -torch.inf).softmax(dim=2)
    return (scale * over_words).softmax(dim=3)
