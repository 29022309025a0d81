"""Embeddings of the places of a film: for average pooling and affine heads their mean is the film's embedding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.vlp.model import VisionLanguageModel, create
from models.vlp.objectives import preparation
from models.vlp.views import plain_view

FILMS = np.random.default_rng(0).integers(0, 255, (3, 96, 96), np.uint8)


def places_of(model: VisionLanguageModel) -> np.ndarray:
    return np.concatenate(list(model.embed_regions(FILMS, batch=2)))


def test_the_mean_over_places_is_the_embedding_before_it_is_scaled() -> None:
    model = create(seed=0)
    with torch.inference_mode():
        whole = model.module.eval().encode_image(plain_view(torch.from_numpy(FILMS))).numpy()
    found = places_of(model)
    assert found.shape == (3, 3, 3, 128)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), whole, atol=1e-5)


@pytest.mark.parametrize(("kind", "shape"), [("convirt", (3, 3, 512)), ("convirt_mgca", (3, 3, 128))])
def test_heads_with_a_bend_embed_each_place_of_the_last_stage(kind: str, shape: tuple[int, ...]) -> None:
    model = create(seed=0, prepare=preparation(kind, {}))
    assert places_of(model).shape == (3, *shape)


def test_gloria_embeds_the_regions_that_words_were_compared_with() -> None:
    model = create(seed=0, prepare=preparation("gloria", {}))
    found = places_of(model)
    assert found.shape[0] == 3
    assert found.shape[1] == found.shape[2] > 3
    assert found.shape[3] == model.embed_texts(["Nodule."]).shape[1]
