"""The losses again, in loops over plain numbers: without matrix products, norms or cross-entropies of torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

Row = list[float]


def dot(a: Row, b: Row) -> float:
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def cosine(a: Row, b: Row) -> float:
    return dot(a, b) / (math.sqrt(dot(a, a)) * math.sqrt(dot(b, b)))


def softmax(values: Row) -> Row:
    top = max(values)
    parts = [math.exp(value - top) for value in values]
    return [part / math.fsum(parts) for part in parts]


def surprise(values: Row, wanted: Sequence[int]) -> float:
    """Minus the logarithm of what the softmax gives to the wanted places together."""
    return -math.log(math.fsum(softmax(values)[at] for at in wanted))


def contrast(logits: list[Row], rows: float, columns: float, texts: Sequence[str] | None = None) -> float:
    n = len(logits)
    equal = [[j for j in range(n) if j == i or (texts is not None and texts[i] == texts[j])] for i in range(n)]
    by_row = math.fsum(surprise(logits[i], equal[i]) for i in range(n)) / n
    by_column = math.fsum(surprise([row[j] for row in logits], equal[j]) for j in range(n)) / n
    return rows * by_row + columns * by_column


def global_contrast(
    images: Tensor, texts: Tensor, scale: float, rows: float, columns: float, same: Sequence[str] | None = None
) -> float:
    logits = [[scale * cosine(image, text) for text in texts.tolist()] for image in images.tolist()]
    return contrast(logits, rows, columns, same)


def attend(regions: list[Row], words: list[Row], scale: float) -> list[Row]:
    """What each word looks at, (words, regions)."""
    over_words = [softmax([dot(region, word) for word in words]) for region in regions]
    return [softmax([scale * over_words[r][w] for r in range(len(regions))]) for w in range(len(words))]


def local_similarity(
    regions: list[Row], words: list[Row], attention_scale: float, word_scale: float, mean: bool
) -> float:
    """How well one image and the words of one text agree."""
    summed = 0.0
    for word, weights in zip(words, attend(regions, words, attention_scale), strict=True):
        context = [
            math.fsum(weight * region[at] for weight, region in zip(weights, regions, strict=True))
            for at in range(len(word))
        ]
        summed += math.exp(word_scale * cosine(word, context))
    return math.log(summed / len(words) if mean else summed)


def local_similarities(
    regions: Tensor, words: Tensor, mask: Tensor, attention_scale: float, word_scale: float, mean: bool
) -> list[Row]:
    held = [
        [word for word, there in zip(text, is_word, strict=True) if there]
        for text, is_word in zip(words.tolist(), mask.tolist(), strict=True)
    ]
    return [
        [local_similarity(image, text, attention_scale, word_scale, mean) for text in held]
        for image in regions.tolist()
    ]
