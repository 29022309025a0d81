"""Find the report of a film among all reports, and the film of a report among all films."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

LEVEL = 1e-12
"""Similarities closer than this are level: equal vectors differ by rounding, as the size of a block has it."""


def text_groups(texts: Sequence[str]) -> np.ndarray:
    """A number for each film's text, (films,): equal texts, but for case and spaces, have the same number.

    Reports repeat (a normal film's above all), and no film can prefer one of two equal texts.
    """
    known: dict[str, int] = {}
    return np.array([known.setdefault(" ".join(text.lower().split()), len(known)) for text in texts], np.int64)


def ranks(images: np.ndarray, texts: np.ndarray, groups: np.ndarray, block: int = 1024) -> np.ndarray:
    """The rank of what belongs together, from 1: (films, 2) for film to text, and text to film.

    Equal texts are one text. A text has found its film when it has found any film with that text. Of scores that are
    level half count as before it, so that a constant model ranks in the middle.

    Args:
        images: (films, d) of unit length.
        texts: (texts, d) of unit length, one for each number of `groups`.
        groups: (films,), which text belongs to each film.
        block: films whose similarities are in memory at once.
    """
    found = np.empty((len(images), 2))
    for at in range(0, len(images), block):
        part = slice(at, at + block)
        own = groups[part]
        similar = images[part].astype(np.float64) @ texts.T.astype(np.float64)
        found[part, 0] = _rank(similar, similar[np.arange(len(own)), own])
    by_text = np.empty(len(texts))
    for at in range(0, len(texts), block):
        similar = texts[at : at + block].astype(np.float64) @ images.T.astype(np.float64)
        mine = groups[None, :] == np.arange(at, at + len(similar))[:, None]
        best = np.where(mine, similar, -np.inf).max(axis=1)
        by_text[at : at + block] = _rank(np.where(mine, -np.inf, similar), best) + 0.5  # its own film is masked out
    found[:, 1] = by_text[groups]
    return found


def recall_at(found: np.ndarray, k: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Share of queries whose rank is at most `k`, in each resample: (queries,) to (1,), or (resamples,) by weights.

    Args:
        found: ranks from 1.
        k: how many are looked at.
        weights: (resamples, queries), how often each resample holds each query.
    """
    counted = np.ones((1, len(found))) if weights is None else weights
    return (counted * (found <= k)).sum(axis=1) / counted.sum(axis=1)


def _rank(similar: np.ndarray, own: np.ndarray) -> np.ndarray:
    """1 + how many of a row are above its own value + half of those level with it, itself apart."""
    ahead = similar - own[:, None]
    above = (ahead > LEVEL).sum(axis=1)
    level = (abs(ahead) <= LEVEL).sum(axis=1)
    return 1 + above + (level - 1) / 2
