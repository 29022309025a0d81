"""Films by index: an archive is a function, not a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np

from models.phantom.case import draw_case
from models.phantom.film import Film, render
from models.phantom.hospital import ARCHIVE_SIZE, Hospital

__all__ = ["ARCHIVE_SIZE", "films", "render_many", "sampled"]

_CHUNK = 128
_SAFE_PATH = "PYTHONSAFEPATH"


def films(
    hospital: Hospital, seed: int, indices: Iterable[int], size: int = 128, masks: bool = False
) -> Iterator[Film]:
    """Render films in the order of `indices`."""
    for index in indices:
        yield render(draw_case(hospital, seed, index), size, masks)


def sampled(seed: int, count: int) -> list[int]:
    """The indices of a random sample of `count` films of an archive, in order."""
    return np.sort(np.random.default_rng(seed).choice(ARCHIVE_SIZE, count, replace=False)).tolist()


def render_many(
    hospital: Hospital, seed: int, indices: Sequence[int], size: int = 128, workers: int = 2
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Render films in several processes.

    Returns:
        Images (n, size, size) uint8, labels (n, findings) uint8, and the n IMPRESSIONs.

    Raises:
        ValueError: no indices.
    """
    if not indices:
        raise ValueError("no films to render: the list of indices is empty")
    chunks = [list(indices[at : at + _CHUNK]) for at in range(0, len(indices), _CHUNK)]
    jobs = [(hospital, seed, chunk, size) for chunk in chunks]
    if workers <= 1:
        parts = [_render_chunk(job) for job in jobs]
    else:
        with _safe_path(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(_render_chunk, jobs))
    images, labels, texts = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels), [text for part in texts for text in part]


@contextmanager
def _safe_path() -> Iterator[None]:
    """Python processes that start inside the block import nothing from the current folder."""
    before = os.environ.get(_SAFE_PATH)
    os.environ[_SAFE_PATH] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_SAFE_PATH]
        else:
            os.environ[_SAFE_PATH] = before


def _render_chunk(job: tuple[Hospital, int, list[int], int]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    hospital, seed, indices, size = job
    done = list(films(hospital, seed, indices, size))
    return np.stack([f.image for f in done]), np.stack([f.labels for f in done]), [f.impression_text for f in done]
