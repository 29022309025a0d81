"""What a network begins with: films in memory or in a file, and a tower."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.vlp.model import create
from tasks.evaluate.finetune import fitting
from tasks.evaluate.labelled_set import EvaluationData
from tasks.evaluate.labels import CannotScore


def test_the_chosen_films_are_those_of_the_rows_wherever_they_are_held(
    masked: EvaluationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = masked.training
    assert training is not None
    rows = np.array([0, 3, 31, 40])
    expected = training.images(96)[rows]
    np.testing.assert_array_equal(fitting.chosen_films(training, rows, 96), expected)
    monkeypatch.setattr(fitting, "_IN_MEMORY", 1000)
    outside = fitting.chosen_films(training, rows, 96)
    assert isinstance(outside, np.memmap)
    np.testing.assert_array_equal(outside, expected)


def test_a_model_that_open_clip_does_not_know_has_no_random_weights() -> None:
    model = replace(create(seed=0), name="some/clip")
    with pytest.raises(
        CannotScore, match="model some/clip cannot be made anew with random weights: open_clip knows no"
    ):
        fitting.first_tower(model, "random", 0)
