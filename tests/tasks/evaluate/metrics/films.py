"""Random scores and labels with ties, for property tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st


@dataclass(frozen=True)
class ScoredFilms:
    """Scores (n,) and labels (n,) with both classes, and the patient of each film."""

    scores: np.ndarray
    labels: np.ndarray
    patients: tuple[str, ...]


@st.composite
def scored_films(draw: st.DrawFn, least: int = 2, most: int = 60) -> ScoredFilms:
    """Films with scores on 2, 5 or very many levels, from 1e-9 to 1e9 in size; some patients have several films."""
    films = draw(st.integers(least, most))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    levels = draw(st.sampled_from([2, 5, 1 << 40]))
    labels = rng.permutation(np.arange(films) < rng.integers(1, films))
    scores = (rng.integers(0, levels, films) / levels - 0.5) * draw(st.sampled_from([1e-9, 1.0, 1e9]))
    patients = rng.integers(0, draw(st.integers(1, films)), films)
    return ScoredFilms(scores, labels.astype(int), tuple(f"p{patient}" for patient in patients))
