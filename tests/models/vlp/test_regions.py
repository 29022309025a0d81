"""Embeddings of the places of a film: for average pooling and affine heads their mean is the film's embedding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.vlp.features import finer_places, position_features
from models.vlp.model import VisionLanguageModel, create
from models.vlp.objectives import preparation
from models.vlp.views import plain_view
from tests.models.vlp.made_up import SIDE, TIMM, model_folder

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


def test_finer_places_lie_between_those_of_the_tower() -> None:
    model = create(seed=0)
    own, finer = places_of(model), np.concatenate(list(model.embed_regions(FILMS, finer=True)))
    assert finer.shape == (3, 6, 6, 128)
    np.testing.assert_allclose(finer[:, ::2, ::2], own, atol=1e-5)
    np.testing.assert_array_equal(places_of(model), own)


def test_inside_the_film_they_are_those_of_a_tower_with_dilation_in_place_of_its_last_stride() -> None:
    module, films = create(seed=0).module.eval(), plain_view(torch.from_numpy(FILMS))
    for weights in module.visual.trunk.parameters():  # none of them 0, as the last of each branch are at first
        torch.nn.init.normal_(weights, std=0.1)
    dilated = type(module.visual.trunk)(num_classes=0, output_stride=16)
    dilated.reset_classifier(0, "avg")
    dilated.load_state_dict(module.visual.trunk.state_dict())
    with torch.inference_mode():
        with finer_places(module):
            found = position_features(module, films)[:, 2:5, 2:5]
        module.visual.trunk = dilated.eval()
        torch.testing.assert_close(found, position_features(module, films)[:, 2:5, 2:5], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("tower", "own", "finer"), [("resnet10t", 2, 4), ("test_convnext", 2, 4), ("test_vit", 4, 4)])
def test_other_towers_have_finer_places_where_their_last_stage_halves_the_map(
    tmp_path: Path, tower: str, own: int, finer: int
) -> None:
    model = create(model_folder(tmp_path, TIMM | {"vision_cfg": TIMM["vision_cfg"] | {"timm_model_name": tower}}))
    films = FILMS[:, :SIDE, :SIDE]
    (plain,), (between,) = model.embed_regions(films), model.embed_regions(films, finer=True)
    assert (plain.shape[1:3], between.shape[1:3]) == ((own, own), (finer, finer))
    np.testing.assert_allclose(between[:, :: finer // own, :: finer // own], plain, atol=1e-5)


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
