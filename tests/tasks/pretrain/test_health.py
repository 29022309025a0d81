"""Collapsed embeddings and a scale at its bound are named."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.vlp.model import create
from models.vlp.objectives.clip import ClipObjective
from tasks.pretrain.health import TrainingHealth, examine


def test_a_model_whose_tower_says_the_same_of_every_image_has_collapsed() -> None:
    model = create(seed=0)
    films = np.random.default_rng(0).integers(0, 255, (8, 96, 96), np.uint8)
    texts = ["Effusion.", "Nodule.", "Clear."]
    with torch.no_grad():
        for weights in model.module.visual.parameters():
            weights.zero_()
        model.module.visual.trunk.global_pool[1].bias.fill_(1.0)
        for weights in model.module.visual.head.parameters():
            weights.fill_(0.5)
    health = examine(model, films, texts)
    assert health.image_cosine == pytest.approx(1.0)
    assert "embeddings of images have collapsed: their mean cosine is 1.000" in health.warnings()[0]


def test_equal_texts_are_no_collapse() -> None:
    health = examine(create(seed=0), np.zeros((4, 96, 96), np.uint8), ["Clear."] * 4)
    assert math.isnan(health.text_cosine)


@pytest.mark.parametrize(("scale", "warned"), [(14.3, False), (99.0, False), (100.0, True)])
def test_a_scale_at_its_bound_is_a_warning(scale: float, warned: bool) -> None:
    health = TrainingHealth(0.1, math.nan, scale)
    assert bool(health.warnings()) == warned
    assert health.figures == {"image_cosine": 0.1, "scale": scale}


def test_the_bound_of_the_scale_is_the_objectives_own() -> None:
    objective = ClipObjective(largest_scale=20.0)
    films = np.random.default_rng(0).integers(0, 255, (2, 96, 96), np.uint8)
    health = examine(create(seed=0), films, ["Effusion.", "Nodule."], objective.largest_scale)
    assert health.largest_scale == 20.0
    at_bound = replace(health, image_cosine=1.0, text_cosine=0.0, scale=20.0).warnings()
    assert len(at_bound) == 2
    assert "at its bound of 20" in at_bound[1]
