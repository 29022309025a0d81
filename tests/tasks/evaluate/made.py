"""Predictions of models that there never were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.evaluate.predictions import Predictions
from tasks.evaluate.protocol import TrialPredictions


def trial(
    arm: str,
    scores: Any,
    truth: Any,
    names: Sequence[str],
    seed: int = 0,
    patients: Sequence[str | None] | None = None,
) -> TrialPredictions:
    """Scores and truth, (films, labels) each, as the predictions of one arm and seed."""
    scores, truth = np.asarray(scores, np.float32), np.asarray(truth, np.float64)
    films = tuple(f"f{at}" for at in range(len(scores)))
    return TrialPredictions(
        arm, seed, Predictions(films, tuple(names), scores, truth, None if patients is None else tuple(patients))
    )
