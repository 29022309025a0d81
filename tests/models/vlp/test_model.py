"""The model is an open_clip model that can be made, kept and loaded exactly."""

import numpy as np
import pytest

from models.vlp.library import open_clip
from models.vlp.model import DEFAULT, create, film_size, load
from models.vlp.tokenizer import VOCABULARY


def test_open_clip_lists_it():
    assert DEFAULT in open_clip().list_models()
    assert open_clip().get_model_config(DEFAULT)["text_cfg"]["vocab_size"] == VOCABULARY


def test_embeddings_have_unit_norm_and_survive_saving():
    model = create(seed=3)
    films = np.random.default_rng(0).integers(0, 255, (5, film_size(), film_size()), np.uint8)
    images, texts = model.embed_images(films), model.embed_texts(["No pneumothorax.", "Cardiomegaly."])
    assert np.linalg.norm(images, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert np.linalg.norm(texts, axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    again = load(model.to_bytes())
    assert again.embed_images(films) == pytest.approx(images, abs=1e-5)
    assert again.embed_texts(["Cardiomegaly."])[0] == pytest.approx(texts[1], abs=1e-5)


def test_a_batch_changes_no_embedding():
    model = create()
    films = np.random.default_rng(0).integers(0, 255, (5, film_size(), film_size()), np.uint8)
    assert model.embed_images(films, batch=2) == pytest.approx(model.embed_images(films), abs=1e-4)


def test_what_is_asked_moves_to_the_models_device():
    """On ``meta``, where nothing is computed, every call runs through and fails only as its result leaves."""
    model = create(device="meta")
    assert model.device.type == "meta"
    films = np.zeros((2, film_size(), film_size()), np.uint8)
    with pytest.raises(NotImplementedError, match="copy out of meta"):
        model.embed_images(films)
    with pytest.raises(NotImplementedError, match="copy out of meta"):
        model.embed_texts(["Cardiomegaly."])
    assert load(create(seed=4).to_bytes(), device="cpu").device.type == "cpu"


def test_nothing_in_is_nothing_out():
    model = create()
    assert model.embed_images(np.zeros((0, 96, 96), np.uint8)).shape == model.embed_texts([]).shape == (0, 128)


def test_making_a_model_leaves_torchs_dice_alone():
    import torch

    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    create(seed=9)
    assert torch.rand(1) == expected


def test_it_is_small():
    assert len(create().to_bytes()) < 6_000_000


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x02\0\0\0\0\0\0\0{}"])
def test_weights_of_another_kind_are_refused(junk):
    with pytest.raises(ValueError, match=DEFAULT):
        load(junk)


def test_an_unknown_model_is_named():
    with pytest.raises(ValueError, match="synthcxr-hugo"):
        create("synthcxr-hugo")
