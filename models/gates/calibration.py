"""Find the threshold of a gate on good films for a stated share of false rejects, and bring gates to one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.contracts import Candidate, Gate

TAIL = 0.05  # the quantile of good films that lies one unit below their middle
FAR = 1e-6


def threshold_at(scores: np.ndarray | Sequence[float], false_rejects: float) -> float:
    """The highest of `scores` of good films under which at most a share of `false_rejects` lies.

    Raises:
        ValueError: fewer scores than an estimate of that share needs, or a score that is no number.
    """
    values = np.asarray(scores, float)
    if len(values) < 1 / false_rejects or not np.isfinite(values).all():
        raise ValueError(
            f"a threshold at {false_rejects:.1%} false rejects takes {int(np.ceil(1 / false_rejects))} good films "
            f"with finite scores; there are {int(np.isfinite(values).sum())}"
        )
    return float(np.quantile(values, false_rejects, method="lower"))


@dataclass(frozen=True, slots=True)
class Scale:
    """Where good films lie on one gate, in logits: 0 is their `middle`, -1 their lowest twentieth."""

    middle: float
    unit: float

    def of(self, scores: np.ndarray | Sequence[float]) -> np.ndarray:
        """Scores 0..1 on this scale."""
        return (_logit(np.asarray(scores, float)) - self.middle) / self.unit


def fit_scale(scores: np.ndarray | Sequence[float]) -> Scale:
    """The scale of a gate from scores 0..1 of good films."""
    values = _logit(np.asarray(scores, float))
    middle, low = float(np.median(values)), float(np.quantile(values, TAIL))
    return Scale(middle, max(middle - low, 0.02))


def score_films(gate: Gate, films: Sequence[np.ndarray]) -> np.ndarray:
    """Scores (n,) of bare films."""
    batch = [Candidate(f"film-{at}", (), "", "", film) for at, film in enumerate(films)]
    return np.array([each.score for each in gate.score(batch)])


def _logit(share: np.ndarray) -> np.ndarray:
    inside = np.clip(np.nan_to_num(share, nan=0.0), FAR, 1 - FAR)
    return np.log(inside / (1 - inside))
